// nexusctl import nexus-sh: from the files of the shell client to the store, over the real control API.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { configSchema } from "../../src/config/schema.ts";
import { systemClock } from "../../src/core/clock.ts";
import { createSessionChanges, sessionKeyName } from "../../src/services/messaging/membership/changes.ts";
import { createImport } from "../../src/services/messaging/membership/import.ts";
import { newSession, SESSION_KIND } from "../../src/services/messaging/membership/session.ts";
import { createSessionSet } from "../../src/services/messaging/membership/sessions.ts";
import { messagingRoutes } from "../../src/services/messaging/routes.ts";
import { runHere } from "../support/cli.ts";
import { startTestControl } from "../support/control.ts";
import { fingerprint, writeNexusSh } from "../support/nexus-sh.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";

const KEY = ["session", "key", "of", "nobody"].join("-");
const ids = ["a1", "b2", "c3", "d4"].map((two) => two.repeat(24)) as [string, string, string, string];
const [A, B, C, D] = ids;

async function start(enabled = true) {
  const directory = temporaryDirectory();
  const store = await openTestStore();
  const sessions = createSessionSet({ clock: systemClock, paceMs: 1000, maxStalenessMs: 60_000 });
  const config = configSchema.parse({
    messaging: { enabled },
    nex: { enabled: false },
    nexus: { enabled: false },
  });
  const changes = createSessionChanges(() => sessions);
  const importSessions = createImport({
    ...{ store, changes, clock: systemClock, settings: () => config.messaging, sessions: () => sessions },
  });
  const routes = messagingRoutes({ store, importSessions, lastPolledAt: () => undefined });
  const daemon = await startTestControl({ context: { store, routes } });
  const over = (role: "agent" | "operator", columns?: number, dir = directory) =>
    runHere(["--socket", daemon.sockets[role], "import", "nexus-sh", "--dir", dir], columns);
  const run = async () => {
    const { code, stdout } = await over("operator");
    return { code, ...JSON.parse(stdout) };
  };
  const records = async () => (await store.readRecords(SESSION_KIND)).map(({ value }) => value);
  return { directory, store, sessions, changes, importSessions, daemon, over, run, records };
}

const oldSession = { agent: "review-bot", key: KEY, cursor: "57", server: "https://messaging.example" };

test("sessions are imported with agent id, key, cursor, alias and server, and polled from then on", async () => {
  const { directory, store, sessions, run, records } = await start();
  writeNexusSh(
    directory,
    { [A]: oldSession, [B]: { agent: "other", key: KEY } },
    { aliases: { review: A }, serverUrl: "https://own.example" },
  );
  const before = fingerprint(directory);
  const report = await run();
  expect(report).toMatchObject({
    ...{ code: 0, directory, notes: [] },
    sessions: [
      { sessionId: A, alias: "review", outcome: "imported", notes: [] },
      { sessionId: B, alias: null, outcome: "imported", notes: [] },
    ],
  });
  expect(await records()).toMatchObject([
    {
      ...{ sessionId: A, alias: "review", agentId: "review-bot", state: "joined", cursor: "57" },
      baseUrl: "https://messaging.example",
    },
    { sessionId: B, agentId: "other", cursor: null, baseUrl: "https://own.example" },
  ]);
  expect(await store.readSecret(sessionKeyName(A))).toBe(KEY);
  expect([
    sessions.take("https://messaging.example")?.session.sessionId,
    sessions.take("https://own.example")?.session.sessionId,
  ]).toEqual([A, B]);
  const { events } = await store.readEvents({ after: 0, limit: 10 });
  expect(events.map(({ json }) => JSON.parse(json))).toMatchObject([
    { type: "nexusd.messaging.session.joined", data: { sessionId: A, alias: "review", imported: true } },
    { type: "nexusd.messaging.session.joined", data: { sessionId: B, imported: true } },
  ]);
  expect(fingerprint(directory)).toEqual(before);
});

test("a second run imports what is new, and leaves known sessions as they are now", async () => {
  const { directory, sessions, run, records } = await start();
  writeNexusSh(directory, { [A]: oldSession });
  await run();
  const known = sessions.get(A);
  if (known) sessions.put({ ...known, cursor: "99" });
  writeNexusSh(directory, { [B]: { ...oldSession, server: "https://messaging.example/" } });
  expect(await run()).toMatchObject({
    code: 0,
    sessions: [{ sessionId: A, outcome: "known" }, { outcome: "imported" }],
  });
  expect(sessions.get(A)?.cursor).toBe("99");
  expect(await records()).toHaveLength(2);
});

test.each<[string, Parameters<typeof writeNexusSh>[1][string], string]>([
  ["no agent id", { key: KEY, cursor: "1" }, "no agent id"],
  ["an agent id that no header takes", { ...oldSession, agent: "two words" }, "agent must be"],
  ["a key that no header takes", { ...oldSession, key: "two words" }, "key must be a session key"],
  [
    "a server without encryption",
    { ...oldSession, server: "http://messaging.example" },
    "server must be https",
  ],
  [
    "a server with a path",
    { ...oldSession, server: "https://messaging.example/api" },
    "server must be an origin",
  ],
])(
  "a session with %s is skipped with its reason, and the others are imported",
  async (_, session, reason) => {
    const { directory, run } = await start();
    writeNexusSh(directory, { [A]: session, [B]: oldSession });
    const { sessions, code } = await run();
    expect(code).toBe(session.agent === undefined ? 0 : 1);
    expect(sessions).toMatchObject([
      {
        outcome: session.agent === undefined ? "nothing" : "skipped",
        notes: [expect.stringContaining(reason)],
      },
      { outcome: "imported" },
    ]);
  },
);

test("a doubtful session is imported with a warning", async () => {
  const { directory, run, records } = await start();
  writeNexusSh(
    directory,
    {
      [A]: { ...oldSession, cursor: "fifty" },
      [B]: { agent: "other", server: "messaging.example" },
      [C]: { ...oldSession, server: "http://127.0.0.1:8080" },
    },
    { aliases: { good: A, also: A, "two words": B, gone: ids[3], wrong: 7 } },
  );
  chmodSync(join(directory, "sessions", C, "key"), 0o644);
  const { code, sessions, notes } = await run();
  expect(code).toBe(0);
  expect(sessions[0].notes).toEqual([
    "its cursor is not a number: it is read from its start",
    'the alias "also" is left out: a session has one',
  ]);
  expect(sessions[1].notes).toEqual([
    "it has no key: messages are sent unverified, and it cannot be left",
    expect.stringContaining('the alias "two words" is left out'),
  ]);
  expect(sessions[2].notes).toEqual([expect.stringContaining("others on this machine can read its key")]);
  expect(notes).toEqual([
    'aliases.json: "wrong" names no session',
    'aliases.json: "gone" belongs to a session that no longer exists',
  ]);
  expect((await records()).map((record) => (record as { baseUrl: string }).baseUrl)).toEqual([
    ...["https://messaging.example", "https://messaging.example", "http://127.0.0.1:8080"],
  ]);
});

test("an alias already in use by nexusd stays where it is", async () => {
  const { directory, run, records } = await start();
  writeNexusSh(directory, { [A]: oldSession }, { aliases: { ops: A } });
  await run();
  writeNexusSh(directory, { [B]: oldSession }, { aliases: { ops: B } });
  const { sessions } = await run();
  expect(sessions[1]).toMatchObject({
    ...{ outcome: "imported", alias: null },
    notes: ['the alias "ops" already names another session'],
  });
  expect(await records()).toMatchObject([{ alias: "ops" }, { alias: null }]);
});

test("an alias that could mean another session is left out, whichever comes first", async () => {
  const { directory, run, records, sessions: set } = await start();
  const written = { [A]: oldSession, [B]: oldSession };
  writeNexusSh(directory, written, { aliases: { [A.slice(0, 8)]: B, [B]: A, [A]: A } });
  const { sessions } = await run();
  const note = "an alias is left out: another session's id begins with it";
  expect(sessions).toMatchObject([
    { outcome: "imported", alias: A, notes: [note] },
    { outcome: "imported", alias: null, notes: [note] },
  ]);
  writeNexusSh(directory, { [C]: oldSession }, { aliases: { [D.slice(0, 6)]: C } });
  set.put(newSession({ sessionId: D, alias: null, baseUrl: "https://own.example", agentId: "me" }));
  expect((await run()).sessions[2]).toMatchObject({
    ...{ outcome: "imported", alias: null },
    notes: ["its alias is left out: another session's id begins with it"],
  });
  expect(await records()).toMatchObject([{ alias: A }, { alias: null }, { alias: null }]);
});

test("links are not followed, pipes not waited for, huge files not read, and invalid JSON not used", async () => {
  const { directory, run } = await start();
  writeNexusSh(directory, { [A]: oldSession, [B]: oldSession, [C]: oldSession, [ids[3]]: oldSession });
  const at = (...names: string[]) => join(directory, "sessions", ...names);
  renameSync(at(A, "key"), join(directory, "elsewhere"));
  symlinkSync(join(directory, "elsewhere"), at(A, "key"));
  execFileSync("rm", [at(B, "cursor")]);
  execFileSync("mkfifo", [at(B, "cursor")]);
  writeFileSync(at(C, "agent"), "x".repeat(70_000));
  symlinkSync(at(ids[3]), at("link"));
  mkdirSync(at("bad name"));
  writeFileSync(at("bad name", "agent"), "me\n");
  writeFileSync(at("stray"), "file");
  writeFileSync(join(directory, "aliases.json"), `{"${KEY}`);
  const { code, sessions, notes } = await run();
  expect(code).toBe(1);
  expect(notes).toEqual(["aliases.json is left out: it is not JSON"]);
  expect(
    sessions.map(({ outcome, notes: [note] }: { outcome: string; notes: string[] }) => [outcome, note]),
  ).toEqual([
    ["skipped", "key is a symbolic link"],
    ["skipped", "cursor is not a file"],
    ["skipped", expect.stringContaining("the name of its directory must be")],
    ["skipped", "agent is larger than any value of nexus.sh"],
    ["imported", undefined],
    ["skipped", "it is a symbolic link"],
    ["nothing", "it is not a directory"],
  ]);
});

test("only an operator may import, and an agent's attempt imports nothing", async () => {
  const { directory, over, records } = await start();
  writeNexusSh(directory, { [A]: oldSession });
  expect(await over("agent")).toMatchObject({ code: 1, stdout: expect.stringContaining("operator_only") });
  expect(await records()).toEqual([]);
});

test("reports that messaging is disabled, or that there is no such state", async () => {
  const disabled = await start(false);
  writeNexusSh(disabled.directory, { [A]: oldSession });
  expect(await disabled.run()).toMatchObject({ code: "service_disabled" });
  const { directory, over } = await start();
  const missing = await over("operator", undefined, join(directory, "missing"));
  expect(missing).toMatchObject({ code: 1, stdout: expect.stringContaining("nothing_to_import") });
});

test("the human output is a line per session, without its id and its key", async () => {
  const { directory, over } = await start();
  writeNexusSh(directory, { [A]: oldSession, [B]: { key: KEY } }, { aliases: { review: A } });
  const { stdout, stderr } = await over("operator", 100);
  expect(stdout).toBe(
    "review: taken over\nb2b2b2…: nothing to take: it has no agent id: nexus.sh never joined it\n",
  );
  expect(stderr).toContain("stop the loops and cron jobs");
  for (const secret of [KEY, A, B]) expect(stdout + stderr).not.toContain(secret);
});

test("two imports at once import a session once", async () => {
  const { directory, over, store } = await start();
  writeNexusSh(directory, { [A]: oldSession });
  await Promise.all([over("operator"), over("operator"), over("operator")]);
  expect((await store.readEvents({ after: 0, limit: 10 })).events).toHaveLength(1);
});

test("the API says what is wrong with a session, and never repeats its key", async () => {
  const { daemon } = await start();
  const secret = `${KEY} with a space`;
  const body = {
    sessions: [{ sessionId: A, agentId: "me", sessionKey: secret, server: "http://far.example", more: 1 }],
  };
  const { status, json, text } = await daemon.call("POST", "/v1/messaging/import", { body });
  expect(status).toBe(400);
  expect(json.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual([
    ...["sessions[0].more", "sessions[0].server", "sessions[0].sessionKey"],
  ]);
  expect(text).not.toContain(KEY);
});

test("a session that is joined meanwhile keeps its own key", async () => {
  const { store, changes, importSessions } = await start();
  const sessionId = A ?? "";
  const entered = Promise.withResolvers<void>();
  const joined = newSession({ sessionId, alias: "own", baseUrl: "https://messaging.example", agentId: "me" });
  const joining = changes.apply(
    [
      {
        sessionId,
        change: () => ({ session: { ...joined, state: "joined" }, events: [] }),
        sessionKey: "own",
      },
    ],
    systemClock.now,
    async ([observation]) => {
      await entered.promise;
      if (observation) await store.commitObservation(observation);
      return { isCommitted: true };
    },
  );
  const importing = importSessions([{ sessionId, agentId: "other", sessionKey: KEY }]);
  await nextTurn();
  entered.resolve();
  await joining;
  expect(await importing).toMatchObject([{ outcome: "known", alias: "own" }]);
  expect(await store.readSecret(`messaging.key:${sessionId}`)).toBe("own");
});

test.each([
  ["127.0.0.1:8080", "http://127.0.0.1:8080"],
  ["localhost:8080", "http://localhost:8080"],
  ["localhost", "http://localhost"],
  ["[::1]:8080", "http://[::1]:8080"],
  ["  LOCALHOST:8080 \r\n", "http://localhost:8080"],
  ["messaging.example", "https://messaging.example"],
  ["messaging.example:8443", "https://messaging.example:8443"],
  ["localhost.example:8080", "https://localhost.example:8080"],
])("a server written %j is %s", async (server, means) => {
  const { directory, run, records } = await start();
  writeNexusSh(directory, { [A]: { ...oldSession, server }, [B]: { agent: "other" } }, { serverUrl: server });
  expect(await run()).toMatchObject({ code: 0 });
  expect(await records()).toMatchObject([{ baseUrl: means }, { baseUrl: means }]);
});

test("blanks around an alias, or around its id, are ignored", async () => {
  const { directory, run } = await start();
  writeNexusSh(directory, { [A]: oldSession }, { aliases: { " padded ": ` ${A} ` } });
  expect(await run()).toMatchObject({
    code: 0,
    notes: [],
    sessions: [{ alias: "padded", outcome: "imported" }],
  });
});

test("Windows line endings and empty files are read correctly", async () => {
  const { directory, run, store } = await start();
  writeNexusSh(directory, { [A]: { agent: "bot\r", key: `${KEY}\r`, cursor: "57\r", server: "" } });
  writeFileSync(join(directory, "aliases.json"), `\ufeff{\r\n"review": "${A}"\r\n}\r\n`);
  expect(await run()).toMatchObject({
    code: 0,
    sessions: [{ alias: "review", outcome: "imported", notes: [] }],
  });
  expect((await store.readRecords(SESSION_KIND))[0]?.value).toMatchObject({ agentId: "bot", cursor: "57" });
});

test("a run that finds an unusable session says what to do about it", async () => {
  const { directory, sessions, run, over } = await start();
  writeNexusSh(directory, { [A]: oldSession, [B]: oldSession });
  await run();
  const [a, b] = [sessions.get(A), sessions.get(B)];
  if (!a || !b) throw new Error("both were taken over");
  sessions.put({ ...a, state: "lost" });
  sessions.put({ ...b, state: "left" });
  const notes = (await run()).sessions.map(({ notes }: { notes: string[] }) => notes.join());
  expect(notes[0]).toContain(`(lost) and did not change it; it has ended`);
  expect(notes[0]).toContain(`nexusctl messaging forget ${A.slice(0, 8)}`);
  expect(notes[1]).toContain(`nexusctl messaging join ${B.slice(0, 8)}`);
  expect((await over("operator", 200)).stdout).toContain("nexusctl messaging forget");
});
