import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakeDaemon, type FakeDaemon, runCli, runHere } from "../support/cli.ts";
import { type FakeWrites, serveWrites } from "../support/fake-writes.ts";
import { createFakeTty, type FakeTty, runAtTty } from "../support/tty.ts";

const QUESTION = "Approve this write? [y/N] ";
const CLEAR = "\u001b[2K";
/** The question itself, which no text from outside can imitate. */
const ASKED = `\r${CLEAR}${QUESTION}`;
let daemon: FakeDaemon;
let fake: FakeWrites;

beforeEach(async () => {
  daemon = createFakeDaemon();
  fake = serveWrites(daemon);
  await daemon.start();
});
afterEach(() => daemon.remove());

const here = (...args: string[]) => runHere(["--socket", daemon.socket, "writes", ...args]);
const atTerminal = (...args: string[]) => runHere(["--socket", daemon.socket, "writes", ...args], 160);
const atTty = (tty: FakeTty, ...args: string[]) =>
  runAtTty(["--socket", daemon.socket, "writes", ...args], tty);
const sent = () =>
  fake.bodies.map(({ path, text }) => [path.split("/").at(-1), text === "" ? "" : JSON.parse(text)]);

/** `writes approve` at a terminal, answered once the question appears. */
async function answered(id: string, keys: string, ...options: string[]) {
  const tty = createFakeTty();
  const done = atTty(tty, "approve", id, ...options);
  await tty.until(({ text }) => text().includes(ASKED));
  tty.type(keys);
  return { ...(await done), tty };
}

describe("writes", () => {
  it("are listed as the daemon returns them, or in a table", async () => {
    const { id } = fake.propose({ reason: "a\nb", agent: "x\u202e" });
    const second = fake.propose();
    fake.move(second.id, "rejected", { note: "no\u001b[2J" });
    const { stdout } = await here("list", "--state", "proposed,rejected", "--limit", "1");
    expect(daemon.requests.at(-1)).toBe("GET /v1/writes?limit=1&state=proposed&state=rejected");
    expect(JSON.parse(stdout)).toMatchObject({ writes: [{ id: second.id }], next: second.id });
    const table = await atTerminal();
    expect(table.stdout).toMatch(
      new RegExp(
        `^${id}  proposed, 24 h left +update status order .* +nexus.orders.update_status .* x\\\\u\\{202e\\} +a\\\\nb$`,
        "m",
      ),
    );
    expect(table.stdout).toMatch(new RegExp(`^${second.id}  rejected \\d s ago .* no\\\\x1b\\[`, "m"));
    expect((await atTerminal("list", "--limit", "1")).stderr).toContain(`continue with --after ${second.id}`);
  });

  it("show their full state in 80 columns, whatever it is", async () => {
    const states = {
      ...{ executing: "executing 3 s ago", succeeded: "succeeded 3 s ago", unknown: "unknown 3 s ago" },
      ...{
        cancelled: "cancelled 3 s ago",
        expired: "expired 3 s ago",
        resolved: "resolved as succeeded 3 s ago",
      },
    };
    const at = new Date(Date.now() - 3000).toISOString();
    for (const state of Object.keys(states) as (keyof typeof states)[])
      fake.move(fake.propose().id, state, {
        finishedAt: at,
        ...(state === "resolved" && { outcome: "succeeded" }),
      });
    fake.propose();
    const { stdout } = await runHere(["--socket", daemon.socket, "writes"], 80);
    for (const words of Object.values(states))
      expect(stdout).toMatch(new RegExp(words.replace("3", "\\d"), "m"));
    expect(stdout).toContain("proposed, 24 h left");
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("are listed completely over many pages, as one document and as one table", async () => {
    const ids = Array.from({ length: 23 }, () => fake.propose().id).reverse();
    fake.pageMost = 5;
    const listed = JSON.parse((await here("list", "--all")).stdout);
    expect(listed.writes.map(({ id }: { id: string }) => id)).toStrictEqual(ids);
    expect(listed.next).toBeNull();
    const some = JSON.parse((await here("list", "--limit", "12")).stdout);
    expect(some).toMatchObject({ writes: { length: 12 }, next: ids[11] });
    const rest = JSON.parse((await here("list", "--all", "--after", some.next)).stdout);
    expect(rest.writes.map(({ id }: { id: string }) => id)).toStrictEqual(ids.slice(12));
    const table = await atTerminal("list", "--all");
    expect(table.stdout.match(/^01K\w+/gm)).toStrictEqual(ids);
  });

  it("that break off in the middle leave a document that says so, and exit code 1", async () => {
    for (let n = 0; n < 8; n++) fake.propose();
    fake.pageMost = 3;
    const serve = daemon.override;
    daemon.override = (request, response) => {
      if (request.url?.includes("after=")) {
        response.writeHead(503, { "content-type": "application/problem+json" });
        response.end('{"title":"Busy","status":503,"detail":"Try again.","code":"store_unavailable"}');
        return true;
      }
      return serve?.(request, response) ?? false;
    };
    const { code, stdout } = await here("list", "--all");
    expect(code).toBe(1);
    const { writes, next, problem } = JSON.parse(stdout);
    expect(writes).toHaveLength(3);
    expect(next).toBe(writes.at(-1).id);
    expect(problem).toMatchObject({ code: "store_unavailable" });
  });

  it("are shown in full, by their id or the end of it", async () => {
    const { id } = fake.propose();
    fake.propose();
    expect(JSON.parse((await here("show", id)).stdout)).toMatchObject({
      id,
      input: { orderStatus: "shipped" },
    });
    const { stdout } = await atTerminal("show", id.slice(-6).toLowerCase());
    expect(stdout).toContain("PATCH https://nexus.example/rest/v1/orders?id=eq.o-1");
    expect(stdout).toMatch(/^state +proposed \d s ago, expires in/m);
  });

  it("are found by the end of their id on the next page if the first one is short", async () => {
    const { id } = fake.propose();
    for (let n = 0; n < 3; n++) fake.propose();
    fake.pageMost = 2;
    expect(JSON.parse((await here("show", id.slice(-6))).stdout)).toMatchObject({ id });
  });

  it("are not guessed if an abbreviation is ambiguous", async () => {
    fake.propose();
    fake.propose();
    const { code, stdout } = await here("show", "01K00000");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ code: "ambiguous_write" });
    expect(await here("show", "nothing")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("write_not_found"),
    });
  });

  it("are rejected with a reason, cancelled, and resolved with a note", async () => {
    const [a, b, c] = [fake.propose(), fake.propose(), fake.propose()];
    expect(JSON.parse((await here("reject", a.id, "--reason", "no")).stdout)).toMatchObject({
      state: "rejected",
    });
    expect((await here("cancel", b.id)).code).toBe(0);
    expect((await here("resolve", c.id, "--outcome", "failed", "--note", "looked")).code).toBe(0);
    expect(sent()).toStrictEqual([
      ["reject", { reason: "no" }],
      ["cancel", ""],
      ["resolve", { outcome: "failed", note: "looked" }],
    ]);
    expect(await here("reject", a.id, "--reason", "no")).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("write_already_decided"),
    });
  });

  it.each([
    ["a rejection without a reason", ["reject", "x"]],
    ["a resolution without its outcome", ["resolve", "x", "--note", "n"]],
    ["a resolution without a note", ["resolve", "x", "--outcome", "failed"]],
    ["an outcome that is none", ["resolve", "x", "--outcome", "maybe", "--note", "n"]],
    ["a state that is none", ["list", "--state", "done"]],
    ["an approval without a terminal", ["approve", "x"]],
    ["--yes without a digest", ["approve", "x", "--yes"]],
    ["a digest without --yes", ["approve", "x", "--digest", "d"]],
    ["an inbox without a terminal", ["watch"]],
  ])("end with 2 and change nothing for %s", async (_what, args) => {
    const { code, stdout } = await here(...args);
    expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
    expect(daemon.requests).toStrictEqual([]);
  });
});

describe("writes approve", () => {
  it("for a script sends the given digest", async () => {
    const { id, digest } = fake.propose();
    const wrong = await here("approve", id, "--yes", "--digest", "0".repeat(64));
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining("digest_mismatch") });
    const { code, stdout } = await here("approve", id, "--yes", "--digest", digest, "--note", "seen");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ id, state: "approved", note: "seen" });
    expect(sent().at(-1)).toStrictEqual(["approve", { digest, note: "seen" }]);
  });

  it.each(["y\r", "Y\r", "yes\r", " YES \r", "nx\x7f\x7fy\r"])(
    "approves on %j, with the digest of what was shown",
    async (keys) => {
      const { id, digest } = fake.propose();
      const { code, tty } = await answered(id, keys);
      expect(code).toBe(0);
      expect(fake.shown).toStrictEqual([id]);
      expect(sent()).toStrictEqual([["approve", { digest }]]);
      expect(tty.text()).toContain("PATCH https://nexus.example/rest/v1/orders?id=eq.o-1");
      expect(whole(tty.text())).toContain(digest);
      expect(tty.isRaw()).toBe(false);
    },
  );

  it.each(["\r", "n\r", "yep\r", "ja\r", "yes please\r", "\x03", "\x04", "\x1b", "y\x15\r"])(
    "does nothing on %j",
    async (keys) => {
      const { id } = fake.propose();
      const { code, stderr, tty } = await answered(id, keys);
      expect(code).toBe(1);
      expect(stderr).toContain("not approved");
      expect(sent()).toStrictEqual([]);
      expect(tty.isRaw()).toBe(false);
    },
  );

  it("ignores an answer typed before the question appeared", async () => {
    const { id } = fake.propose();
    const tty = createFakeTty();
    tty.type("y\ry\r");
    const done = atTty(tty, "approve", id);
    await tty.until(({ text }) => text().includes(ASKED));
    tty.type("\r");
    expect((await done).code).toBe(1);
    expect(sent()).toStrictEqual([]);
  });

  it("does nothing if the terminal hangs up or the command is told to end", async () => {
    const { id } = fake.propose();
    const gone = createFakeTty();
    const hungUp = atTty(gone, "approve", id);
    await gone.until(({ text }) => text().includes(ASKED));
    gone.input.destroy(new Error("EIO"));
    expect((await hungUp).code).toBe(1);

    const stop = new AbortController();
    const tty = createFakeTty();
    const stopped = runAtTty(["--socket", daemon.socket, "writes", "approve", id], tty, stop.signal);
    await tty.until(({ text }) => text().includes(ASKED));
    stop.abort();
    expect((await stopped).code).toBe(130);
    expect(tty.isRaw()).toBe(false);
    expect(sent()).toStrictEqual([]);
  });

  it("explains in words what prevents it", async () => {
    const { id } = fake.propose();
    const tty = createFakeTty();
    const done = atTty(tty, "approve", id);
    await tty.until(({ text }) => text().includes(ASKED));
    fake.move(id, "cancelled");
    tty.type("y\r");
    expect(await done).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("The write is cancelled already."),
    });
    const again = await atTty(createFakeTty(), "approve", id);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("There is nothing to approve");
    expect(again.stdout).not.toContain(QUESTION);
  });

  it("refuses a write whose digest does not match its request, without asking", async () => {
    const { id } = fake.propose({ request: '{"input":{},"operation":"another"}' });
    const done = await atTty(createFakeTty(), "approve", id);
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining("(digest_mismatch)") });
    expect(done.stdout).not.toContain(QUESTION);
  });

  it("refuses at a terminal if --digest names another", async () => {
    const { id } = fake.propose();
    const done = await atTty(createFakeTty(), "approve", id, "--digest", "0".repeat(64));
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining("(digest_mismatch)") });
    expect(sent()).toStrictEqual([]);
  });

  it("with --wait ends with the outcome", async () => {
    const { id } = fake.propose();
    const tty = createFakeTty();
    const done = atTty(tty, "approve", id, "--wait");
    await tty.until(({ text }) => text().includes(ASKED));
    tty.type("y\r");
    while (fake.all.get(id)?.state !== "approved") await new Promise((resolve) => setTimeout(resolve, 5));
    fake.move(id, "failed", { result: { error: { code: "stale", message: "it was shipped already" } } });
    expect(await done).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("stale: it was shipped already"),
    });
  });
});

/** Everything that controls a terminal, except a line break. */
const ACTS = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
/** Without the breaks that the preview marks as its own. */
const whole = (text: string) => text.replace(/↩\n +[┊↪] /g, "");

describe("a hostile proposal", () => {
  const FORGED = `${QUESTION}y\nThe write is approved.`;
  const HOSTILE = [
    `ok\n\n${FORGED}`,
    `ok\r${FORGED}`,
    "\u001b[2J\u001b[H\u001b]0;t\u0007\u009b2J",
    "\u202egnp.exe\u2066\u200b\u2028\u2029",
    ` ${" ".repeat(79)}${FORGED}`,
    "x".repeat(200),
  ];

  it.each(HOSTILE)(
    "cannot forge the question, hide a field or control the terminal with %j",
    async (text) => {
      const body = JSON.stringify({ note: text });
      const { id, digest } = fake.propose({
        ...{ reason: text, agent: text, target: text, precondition: JSON.stringify(text) },
        preview: { method: "POST", url: `https://nexus.example/rest/v1/notes?a=${text}`, headers: [], body },
      });
      const { tty } = await answered(id, "\r");
      const [shown = ""] = tty.text().split(`\r${CLEAR}`); // the lines above the real question
      expect(shown).not.toMatch(ACTS);
      const lines = shown.split("\n");
      for (const line of lines) expect(line).not.toMatch(/^(Approve|The write is approved)/);
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(80);
      expect(whole(shown)).toContain(digest);
      expect(shown).toContain(id);
      // All of the text is there, character by character.
      const letters = (from: string) => from.replace(/[^a-z]/gi, "").length;
      expect(letters(shown)).toBeGreaterThan(3 * letters(JSON.stringify(text)) - 20);
      for (const command of [["list"], ["show", id]])
        expect((await atTerminal(...command)).stdout).not.toMatch(ACTS);
    },
  );

  it("of a megabyte leaves a summary of the action right above the question", async () => {
    const body = JSON.stringify({ text: "word ".repeat(200_000) });
    const preview = { method: "POST", url: "https://nexus.example/rest/v1/notes", headers: [], body };
    const { id, digest } = fake.propose({ preview });
    const { tty } = await answered(id, "\r");
    const last = tty.text().split("\n").slice(-14).join("\n");
    for (const part of [id, digest, preview.method, preview.url, "nexus.orders.update_status"])
      expect(last).toContain(part);
    expect(last).toMatch(/The full preview is above, in \d+ lines/);
    expect(tty.text().split("word ").length).toBeGreaterThan(150_000);
  });
});

it("the real process does not ask without a terminal", async () => {
  const { id } = fake.propose();
  const { code, stdout, stderr } = await runCli(["--socket", daemon.socket, "writes", "approve", id]);
  expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("--yes and --digest");
});
