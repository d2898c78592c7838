// nexusctl messaging over the real control API, on a scripted write path and scripted reads.

import { expect, test } from "vitest";
import { type Write, WriteError } from "../../src/contract/writes.ts";
import { newSession, SESSION_KIND } from "../../src/services/messaging/membership/session.ts";
import { runHere, spawnCli } from "../support/cli.ts";
import { message, startTestControl } from "../support/control.ts";
import { exampleWrite, scriptedWrites } from "../support/scripted-writes.ts";

const HUGE = "98765432109876543210";
const ID = "a1b2c3d4e5f60718".repeat(3);
const OUTPUT = { sessionId: ID, alias: "ops", ttl: 3660, code: "PEARL-FOCAL-S5SJV", url: "https://m/p/CODE" };

/** A daemon whose writes end with `ending`, and whose reads return `output`. */
async function start(ending: Partial<Write> = {}, output: unknown = OUTPUT) {
  const scripted = scriptedWrites();
  const asked: { operation: string; input: unknown }[] = [];
  const answer = (operation: string, input: unknown) => {
    asked.push({ operation, input });
    return { output, service: "messaging" as const, durationMs: 1, waitedMs: 0 };
  };
  const daemon = await startTestControl({
    context: {
      writes: {
        ...scripted,
        async propose({ operation, input }) {
          answer(operation, input);
          const made = exampleWrite({ operation, state: "succeeded", result: { output }, ...ending });
          scripted.all.set(made.id, made);
          return {
            write: { ...made, state: ending.state === "proposed" ? "proposed" : "approved" },
            isNew: true,
          };
        },
      },
      reads: { run: async (operation, input) => answer(operation, input) },
    },
  });
  const at = (columns: number | undefined, args: string[], stdin?: string) =>
    runHere(["--socket", daemon.sockets.agent, "messaging", ...args], columns, {}, stdin);
  return {
    ...{ daemon, asked, scripted },
    piped: (...args: string[]) => at(undefined, args),
    atTerminal: (...args: string[]) => at(100, args),
    withStdin: (stdin: string, ...args: string[]) => at(undefined, args, stdin),
  };
}

const session = { session: "ops" };

test.each([
  [["create"], "sessions.create", {}],
  [
    "create --ttl 2h --max-agents 3 --greeting Hi --as-member --alias ops --server https://m.example".split(
      " ",
    ),
    "sessions.create",
    {
      ...{ ttlSeconds: 7200, maxAgents: 3, greeting: "Hi", asCreator: false, alias: "ops" },
      server: "https://m.example",
    },
  ],
  [["create", "--ttl", "3660"], "sessions.create", { ttlSeconds: 3660 }],
  [["join", ID, "--alias", "ops"], "sessions.join", { session: ID, alias: "ops" }],
  [["leave", "ops"], "sessions.leave", session],
  [["forget", "ops"], "sessions.forget", session],
  [["renew", "ops", "--ttl", "90m"], "sessions.renew", { ...session, ttlSeconds: 5400 }],
  [["alias", ID, "ops"], "aliases.upsert", { session: ID, alias: "ops" }],
  [["unalias", "ops"], "aliases.delete", { alias: "ops" }],
  [["pair", "ops"], "pairs.create", session],
  [["claim", "PEARL-FOCAL-S5SJV"], "pairs.claim", { code: "PEARL-FOCAL-S5SJV" }],
  [
    ["claim", "https://m.example/p/PEARL-FOCAL-S5SJV"],
    "pairs.claim",
    { code: "https://m.example/p/PEARL-FOCAL-S5SJV" },
  ],
  [["pair-status", "PEARL-FOCAL-S5SJV"], "pairs.get", { code: "PEARL-FOCAL-S5SJV" }],
  [["send", "ops", "hello"], "messages.send", { ...session, text: "hello" }],
  [["send", "ops", "--", "--not-an-option"], "messages.send", { ...session, text: "--not-an-option" }],
  [
    ["send", "ops", "see:", "--data", '{"n":[1]}', "--strict"],
    "messages.send",
    { ...session, text: "see:", json: { n: [1] }, strict: true },
  ],
  [["send", "ops", "--data", "null"], "messages.send", { ...session, json: null }],
  [
    ["history", "ops", "--after", "7", "--members"],
    "messages.list",
    { ...session, after: "7", members: true },
  ],
  [["members", "ops"], "members.list", session],
  [["status", "ops"], "sessions.get", session],
  [["health"], "servers.get_health", {}],
  [["stats", "https://m.example"], "servers.get_stats", { server: "https://m.example" }],
])("%j asks for messaging.%s, and prints its output as JSON", async (args, operation, input) => {
  const { asked, piped } = await start();
  const { code, stdout } = await piped(...args);
  expect(code).toBe(0);
  expect(asked).toEqual([{ operation: `messaging.${operation}`, input }]);
  expect(JSON.parse(stdout)).toMatchObject(OUTPUT);
});

test("a write names itself in its output, and keeps every digit", async () => {
  const { piped, scripted } = await start({}, { cursor: BigInt(HUGE) });
  const { stdout } = await piped("send", "ops", "hello");
  expect(stdout).toContain(`"cursor":${HUGE}`);
  expect(JSON.parse(stdout).writeId).toBe([...scripted.all.keys()][0]);
});

test("a message text can come from stdin, without the shell's line break", async () => {
  const { asked, withStdin } = await start();
  await withStdin("first\nsecond\n", "send", "ops", "-");
  await withStdin('{"a":1}\n', "send", "ops", "--data", "-");
  expect(asked.map(({ input }) => input)).toEqual([
    { ...session, text: "first\nsecond" },
    { ...session, json: { a: 1 } },
  ]);
});

test.each([
  [["send", "ops"], "What is the message?"],
  [["send", "ops", "-", "--data", "-"], "Only one of"],
  [["send", "ops", "--data", "{"], "--data"],
  [["create", "--ttl", "soon"], "a duration"],
  [["create", "--max-agents", "0"], "at least 1"],
  [["send", "ops", "a", "b"], "too many arguments"],
  [["nonsense"], "unknown command"],
])("%j is wrong usage, and no request is sent", async (args, words) => {
  const { asked, piped } = await start();
  expect(await piped(...args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(words) });
  expect(asked).toEqual([]);
});

test("at a terminal the output says what matters and what to do next", async () => {
  const { atTerminal } = await start({}, { ...OUTPUT, greeting: "\u001b[2J" });
  const created = await atTerminal("create", "--alias", "ops");
  expect(created.stdout).toContain(`session         ${ID}\nalias           ops\n`);
  expect(created.stderr).toBe("nexusctl: invite another agent with: nexusctl messaging pair ops\n");
  const paired = await atTerminal("pair", "ops");
  expect(paired.stdout).toBe("link  https://m/p/CODE\ncode  PEARL-FOCAL-S5SJV\n");
  expect((await atTerminal("leave", "ops")).stderr).toBe("nexusctl: left ops\n");
  expect((await atTerminal("claim", "PEARL-FOCAL-S5SJV")).stderr).toContain("messaging poll ops --follow");
});

test("a failed write is exit 1 with the service's code and the write", async () => {
  const error = { code: "session_full", message: "messaging: every place is taken" };
  const { piped } = await start({ state: "failed", result: { error } });
  const { code, stdout } = await piped("join", ID);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ code: "session_full", detail: error.message, state: "failed", writeId: expect.any(String) },
  });
});

test("a message larger than the daemon accepts is refused as such, every time", async () => {
  const { withStdin, asked } = await start();
  for (let n = 0; n < 10; n++) {
    const { code, stdout } = await withStdin("x".repeat(2 ** 20), "send", "ops", "-");
    expect([code, JSON.parse(stdout).code]).toEqual([1, "body_too_large"]);
  }
  expect(asked).toEqual([]);
});

test("a write whose outcome is unknown says how to find out", async () => {
  const result = { error: { code: "timeout", message: "No answer" }, remedy: "Look for it in the session." };
  const { piped } = await start({ state: "unknown", result });
  const { code, stdout } = await piped("send", "ops", "hello");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ code: "timeout", state: "unknown", detail: "No answer. Look for it in the session." },
  });
});

test("if the policy requires an approval, the command names the pending write and returns", async () => {
  const { piped, atTerminal } = await start({ state: "proposed", approval: "operator" });
  const { code, stdout } = await piped("send", "ops", "hello");
  expect(code).toBe(1);
  const problem = JSON.parse(stdout);
  expect(problem).toMatchObject({ code: "approval_needed", state: "proposed" });
  expect(problem.detail).toContain(`nexusctl writes approve ${problem.writeId}`);
  expect(await atTerminal("leave", "ops")).toMatchObject({ code: 1, stdout: "" });
});

test("--no-wait prints the write as proposed", async () => {
  const { piped } = await start({ state: "proposed" });
  const { code, stdout } = await piped("send", "ops", "hello", "--no-wait", "--reason", "it is done");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ operation: "messaging.messages.send", state: "proposed" });
});

test("a refusal before anything was stored is the daemon's own", async () => {
  const daemon = await startTestControl({
    context: {
      writes: {
        ...scriptedWrites(),
        propose: async () =>
          Promise.reject(
            new WriteError("secret_in_text", "text looks like a secret (GITHUB_TOKEN), at line 1, column 1", {
              errors: [{ path: "text", message: "looks like a secret (GITHUB_TOKEN), at line 1, column 1" }],
            }),
          ),
      },
    },
  });
  const send = (columns?: number) =>
    runHere(["--socket", daemon.sockets.agent, "messaging", "send", "ops", "it"], columns);
  const piped = await send();
  expect(piped.code).toBe(1);
  expect(JSON.parse(piped.stdout)).toMatchObject({
    ...{ status: 422, code: "secret_in_text", errors: [{ path: "input.text" }] },
  });
  expect((await send(80)).stderr).toContain("(GITHUB_TOKEN), at line 1, column 1");
});

test("without a daemon at the socket the exit code is 69", async () => {
  expect(await runHere(["--socket", "/nowhere/agent.sock", "messaging", "ls"])).toMatchObject({ code: 69 });
});

test("ls shows each session with its id shortened, its state, and why it ended", async () => {
  const { daemon, atTerminal, piped } = await start();
  expect((await atTerminal("ls")).stderr).toContain("no session yet");
  const settings = { alias: "ops", baseUrl: "https://messaging.md", agentId: "nexusd" };
  const record = (sessionId: string, changes: object) => ({
    ...{ kind: SESSION_KIND, key: sessionId },
    value: { ...newSession({ ...settings, sessionId }), ...changes },
  });
  await daemon.store.commitObservation({
    source: "test",
    put: [
      record(ID, { state: "joined" }),
      record(ID.replaceAll("a1", "b2"), {
        ...{ alias: "old\u001b[2J", state: "expired" },
        reason: { code: "session_not_found", message: "The session does not exist any more." },
      }),
    ],
  });
  const { stdout } = await atTerminal("ls");
  expect(stdout).toMatch(/^ALIAS +SESSION +STATE/m);
  expect(stdout).toMatch(/^ops +a1b2c3… +joined +nexusd/m);
  expect(stdout).toMatch(/^old\\x1b\[2J: The session does not exist any more\.$/m);
  expect(stdout).not.toContain(ID);
  expect(JSON.parse((await piped("ls")).stdout).sessions).toHaveLength(2);
});

test("poll prints all messages even if a page of the daemon ends early because they are long", async () => {
  const { daemon, piped } = await start();
  await seed(daemon);
  const texts = Array.from({ length: 6 }, (_, n) => `${n} ${"x".repeat(900_000)}`);
  await daemon.append(...texts.map((text) => message(ID, { text })));
  const lines = (await piped("poll", "ops")).stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).text)).toEqual(texts);
});

test("poll prints one session's messages from the log, one per line, from a given position", async () => {
  const { daemon, piped, atTerminal } = await start();
  await seed(daemon);
  await daemon.append(
    message(ID, { text: "one", json: { id: BigInt(HUGE) } }),
    message("another", { text: "not here" }),
    message(ID, { text: "two\nlines \u001b[2J" }),
  );
  const { stdout } = await piped("poll", "ops");
  const lines = stdout.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line).text)).toEqual(["one", "two\nlines \u001b[2J"]);
  expect(stdout).toContain(`"id":${HUGE}`);
  expect(JSON.parse((await piped("poll", "ops", "--after", "1")).stdout).sequence).toBe(3);
  const limited = await piped("poll", "ops", "--limit", "1");
  expect(limited.stderr).toContain("continue with --after 1");
  expect((await atTerminal("poll", "ops", "--after", "1")).stdout).toMatch(
    /^3 {2}\d\d:\d\d:\d\d {2}peer\n {4}two\n {4}lines \\x1b\[2J\n$/,
  );
  expect(await piped("poll", "nobody")).toMatchObject({
    ...{ code: 1, stdout: expect.stringContaining("session_not_found") },
  });
});

test("poll --follow prints new messages of that session only, until it is stopped", async () => {
  const { daemon } = await start();
  await seed(daemon);
  await daemon.append(message(ID, { text: "before" }));
  const socket = ["--socket", daemon.sockets.agent];
  const cli = spawnCli([...socket, "messaging", "poll", "ops", "--follow", "--after", "0"]);
  await cli.until(({ lines }) => lines().length === 1);
  await daemon.append(message("another", { text: "not here" }), message(ID, { text: "after" }));
  await cli.until(({ lines }) => lines().length === 2);
  cli.child.kill("SIGTERM");
  expect(await cli.ended).toMatchObject({ code: 0 });
  expect(cli.lines().map((line) => JSON.parse(line))).toMatchObject([
    { text: "before", sequence: 1, sessionId: ID },
    { text: "after", sequence: 3 },
  ]);
});

async function seed(daemon: Awaited<ReturnType<typeof startTestControl>>) {
  const value = newSession({ sessionId: ID, alias: "ops", baseUrl: "https://m", agentId: "nexusd" });
  await daemon.store.commitObservation({
    source: "seed",
    put: [{ kind: SESSION_KIND, key: ID, value: { ...value, state: "joined" } }],
  });
}

test("history is the server's, with each message in full, and members are a table", async () => {
  const members = [{ agentId: "peer\u001b", lastSeenAt: new Date().toISOString() }, { agentId: "me" }];
  const messages = [{ cursor: "7", agentId: "peer", text: "hello\nthere", json: { a: 1 } }];
  const { atTerminal } = await start({}, { messages, members });
  expect((await atTerminal("history", "ops", "--members")).stdout).toMatch(
    /^cursor 7 {2}peer\n {4}hello\n {4}there\n {4}\{"a":1\}\nAGENT +LAST SEEN\npeer\\x1b +\d+ s ago\nme +-\n$/,
  );
  expect((await atTerminal("members", "ops")).stdout).toMatch(/^AGENT/);
});
