import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CliResult } from "../support/cli.ts";
import { createFakeDaemon, type FakeDaemon } from "../support/cli.ts";
import { type FakeWrites, serveWrites } from "../support/fake-writes.ts";
import { createFakeTty, type FakeTty, runAtTty } from "../support/tty.ts";

const FULL_SCREEN = "\u001b[?1049h";
const NORMAL_SCREEN = "\u001b[?25h\u001b[?7h\u001b[?1049l";
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what they are made of
const OWN = /\x1b\[(\?(1049|7|25)[hl]|\d+;1H|2K)/g;
/** Longer than keys are ignored after the end of a write has appeared on the screen. */
const LOOKED_MS = 550;
const HINT = "a: approve";

let daemon: FakeDaemon;
let fake: FakeWrites;
let stop: AbortController;

beforeEach(async () => {
  daemon = createFakeDaemon();
  fake = serveWrites(daemon);
  stop = new AbortController();
  await daemon.start();
});
afterEach(async () => {
  stop.abort();
  await daemon.remove();
});

const start = (tty: FakeTty = createFakeTty()): { tty: FakeTty; ended: Promise<CliResult> } => ({
  tty,
  ended: runAtTty(["--socket", daemon.socket, "writes", "watch"], tty, stop.signal),
});
const shows = (tty: FakeTty, text: string | RegExp) =>
  tty.until(({ screen }) => {
    const lines = screen().join("\n");
    return typeof text === "string" ? lines.includes(text) : text.test(lines);
  });
const looked = () => new Promise((resolve) => setTimeout(resolve, LOOKED_MS));
const sent = () => fake.bodies.map(({ path, text }) => [path.split("/").at(-1), JSON.parse(text)]);
const lines = (tty: FakeTty, text: string) => tty.screen().filter((line) => line.includes(text));

describe("the inbox", () => {
  it("shows the existing proposals, the oldest first, and new ones", async () => {
    fake.propose({ reason: "first" });
    fake.propose({ reason: "second" });
    fake.move(fake.propose({ reason: "decided before" }).id, "rejected");
    const { tty } = start();
    await shows(tty, "2 to decide");
    expect(lines(tty, "scout").map((line) => /first|second/.exec(line)?.[0])).toStrictEqual([
      "first",
      "second",
    ]);
    expect(tty.screen().join("\n")).not.toContain("decided before");
    fake.propose({ reason: "third" });
    await shows(tty, "3 to decide");
    expect(lines(tty, "scout").at(-1)).toContain("third");
    expect(fake.shown).toStrictEqual([]);
  });

  it("drops a write that is decided elsewhere or expires, and says what happened", async () => {
    const [a, b] = [fake.propose({ reason: "first" }), fake.propose({ reason: "second" })];
    const { tty } = start();
    await shows(tty, "2 to decide");
    fake.move(a.id, "expired");
    await shows(tty, /1 to decide[\s\S]*expired/);
    fake.move(b.id, "rejected", { note: "not now" });
    await shows(tty, /nothing to decide[\s\S]*rejected: not now/);
  });

  it("shows what each is about, and its state, in 80 columns", async () => {
    fake.propose({ reason: "the customer paid, and waits" });
    const { tty } = start(createFakeTty(80, 24));
    await shows(tty, "1 to decide");
    const [head = ""] = lines(tty, "WHAT IT IS ABOUT");
    const [row = ""] = lines(tty, "proposed  ");
    expect(head.slice(0, 80)).toMatch(/STATE .*WHAT IT IS ABOUT .*EXPIRES/);
    expect(row.slice(0, 80)).toMatch(/^> +1 +proposed +update status order o-\d+: .* in \d+ h +scout: the/);
  });

  it("shows in a write's place for a while that it was decided elsewhere, and by whom", async () => {
    const { id } = fake.propose({ reason: "first" });
    fake.propose({ reason: "second" });
    const { tty } = start();
    await shows(tty, "2 to decide");
    fake.move(id, "rejected", {
      note: "not now",
      decidedBy: { via: "operator.sock", user: "alice" },
    });
    await shows(tty, "1 to decide");
    const [row = ""] = lines(tty, "rejected  ");
    expect(row).toMatch(/update status order o-\d+/);
    expect(row).toContain("by alice");
    // It can no longer be selected.
    tty.type("2");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fake.shown).toStrictEqual([]);
  });

  it("rings once for a new write, and not for existing or leaving ones", async () => {
    fake.propose({ reason: "there before" });
    const { tty } = start();
    const bells = () => tty.text().split("\x07").length - 1;
    await shows(tty, "1 to decide");
    expect(bells()).toBe(0);
    const { id } = fake.propose({ reason: "second" });
    await shows(tty, "2 to decide");
    expect(bells()).toBe(1);
    fake.move(id, "rejected", { note: "no" });
    await shows(tty, "1 to decide");
    expect(bells()).toBe(1);
  });

  it("is silent with --no-bell", async () => {
    const tty = createFakeTty();
    void runAtTty(["--socket", daemon.socket, "writes", "watch", "--no-bell"], tty, stop.signal);
    await shows(tty, "nothing to decide");
    fake.propose({ reason: "first" });
    await shows(tty, "1 to decide");
    expect(tty.text()).not.toContain("\x07");
  });

  it("does not bring back a write that was decided while a list was loading", async () => {
    const { tty } = start();
    await shows(tty, "nothing to decide");
    const { promise, resolve } = Promise.withResolvers<void>();
    fake.listsAfter = promise;
    const lists = () => daemon.requests.filter((request) => request.startsWith("GET /v1/writes?"));
    const { id } = fake.propose();
    while (lists().length < 2) await new Promise((next) => setTimeout(next, 1));
    fake.move(id, "cancelled");
    await shows(tty, "cancelled");
    resolve();
    while (lists().length < 3) await new Promise((next) => setTimeout(next, 1));
    await shows(tty, "nothing to decide");
  });

  it("shows the full write at one key and approves it at another, with its digest", async () => {
    fake.propose();
    const { id, digest } = fake.propose({ reason: "the second" });
    const { tty } = start();
    await shows(tty, "2 to decide");
    tty.type("2");
    await shows(tty, HINT);
    expect(tty.screen().join("\n")).toContain("PATCH https://nexus.example/rest/v1/orders?id=eq.o-1");
    expect(fake.shown).toStrictEqual([id]);
    await looked();
    tty.type("a");
    await shows(tty, "1 to decide");
    expect(sent()).toStrictEqual([["approve", { digest }]]);
    fake.move(id, "succeeded");
    await shows(tty, "update_status …00" /* the end of its id */);
    await shows(tty, "succeeded");
  });

  it("rejects only with a reason", async () => {
    fake.propose();
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("\r");
    await shows(tty, HINT);
    tty.type("r");
    await shows(tty, "Reason (Enter: reject");
    tty.type("aq\x1b[A\x7f\x1b");
    await shows(tty, HINT);
    tty.type("r\r");
    await shows(tty, "nothing was rejected");
    expect(sent()).toStrictEqual([]);
    tty.type("rnot qquite\x7f\x7f\x7f\x7f\x7fite yet\r");
    await shows(tty, "nothing to decide");
    expect(sent()).toStrictEqual([["reject", { reason: "not qite yet" }]]);
  });

  it("approves nothing that was not read to its end, and ignores a key pressed early", async () => {
    const body = JSON.stringify({ lines: Array.from({ length: 60 }, (_, line) => `line ${line}`) });
    fake.propose({ preview: { method: "POST", url: "https://x.example/", headers: [], body } });
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("\raaa");
    await shows(tty, "read to the end");
    await looked();
    tty.type("a a a");
    await shows(tty, /lines \d+ to \d+ of/);
    expect(lines(tty, HINT)).toStrictEqual([]);
    tty.type("\x1b[Faaa");
    await shows(tty, HINT);
    await shows(tty, "Nothing was approved");
    await looked();
    expect(sent()).toStrictEqual([]);
    tty.type("\x1b[F");
    tty.type("a");
    await shows(tty, "nothing to decide");
    expect(sent()).toHaveLength(1);
  });

  it("says that the write on the screen was decided elsewhere, and allows no further action", async () => {
    const { id } = fake.propose();
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("1");
    await shows(tty, HINT);
    fake.move(id, "cancelled");
    await shows(tty, "No longer open: nexus.orders.update_status");
    await looked();
    tty.type("ar");
    tty.type("\x1b");
    await shows(tty, "nothing to decide");
    expect(sent()).toStrictEqual([]);
  });

  it("explains in words why an approval is refused", async () => {
    const write = fake.propose();
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("1");
    await shows(tty, HINT);
    fake.all.set(write.id, { ...write, digest: "another" });
    await looked();
    tty.type("a");
    await shows(tty, "The digest is not that of this write. (digest_mismatch)");
  });

  it("does not open a write whose digest does not match its request", async () => {
    fake.propose({ request: '{"input":{},"operation":"another"}' });
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("1");
    await shows(tty, "does not match its digest");
    expect(lines(tty, HINT)).toStrictEqual([]);
  });

  it("continues after a restart of the daemon, with what happened meanwhile", async () => {
    const { id } = fake.propose({ reason: "before" });
    const { tty } = start();
    await shows(tty, "1 to decide");
    await daemon.stop();
    fake.move(id, "expired");
    fake.propose({ reason: "meanwhile" });
    await daemon.start();
    await shows(tty, "meanwhile");
    await shows(tty, "1 to decide");
    fake.propose({ reason: "after" });
    await shows(tty, "2 to decide");
  });

  it("reads the list again if the log was replaced", async () => {
    fake.propose();
    const { tty } = start();
    await shows(tty, "1 to decide");
    await daemon.stop();
    daemon.epoch = "epoch-b";
    daemon.log = [];
    fake.all.clear();
    await daemon.start();
    await shows(tty, "nothing to decide");
  });

  it("holds more than fits on the screen: arrows scroll, and numbers refer to the visible rows", async () => {
    for (let i = 0; i < 45; i++) fake.propose({ reason: `reason ${i}.` });
    const { tty } = start(createFakeTty(100));
    await shows(tty, "45 to decide");
    expect(tty.screen().join("\n")).not.toContain("reason 44.");
    tty.type("\x1b[F");
    await shows(tty, "reason 44.");
    expect(tty.screen()).toHaveLength(24);
    const wanted = tty.screen().find((line) => /^ +3 /.test(line));
    tty.type("3");
    await shows(tty, HINT);
    expect(tty.screen().join("\n")).toContain(/reason \d+\./.exec(wanted ?? "")?.[0]);
    tty.type("\x1b[D");
    await shows(tty, "45 to decide");
    tty.type("\x1b[H\x1b[B\x1b[Bkj");
    await shows(tty, /^> +3 .*reason 2\./m);
  });
});

describe("the screen", () => {
  it.each([
    [80, 24],
    [40, 10],
    [200, 60],
    [20, 5],
  ])("of %i by %i is never exceeded, even by hostile text", async (columns, rows) => {
    const hostile = "\u001b[2J\u202e\na: approve\r\u200b漢漢漢⚠️ ".repeat(20);
    fake.propose({
      ...{ reason: hostile, agent: hostile, operation: `x.${hostile}` },
      preview: {
        method: "POST",
        url: `https://x.example/${hostile}`,
        headers: [],
        body: JSON.stringify(hostile),
      },
    });
    const tty = createFakeTty(columns, rows);
    start(tty);
    await tty.until(({ screen }) => screen().some((line) => line.startsWith("Enter")));
    for (const keys of ["1", " ", "\x1b[F", "r", "reason".repeat(10)]) {
      const before = tty.text().length;
      tty.type(keys);
      await tty.until(({ text }) => text().length > before);
      expect(tty.screen().length).toBeLessThanOrEqual(rows);
      for (const line of tty.screen()) expect([...line].length).toBeLessThanOrEqual(columns);
    }
    // What is left without our own sequences contains nothing that controls a terminal.
    expect(tty.text().replace(OWN, "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("follows the size of the terminal", async () => {
    fake.propose({ reason: "word ".repeat(40) });
    const { tty } = start();
    await shows(tty, "1 to decide");
    tty.type("1");
    await shows(tty, "lines 1 to 19 of");
    tty.resize(50, 12);
    await tty.until(({ screen }) => screen().length === 12);
    for (const line of tty.screen()) expect([...line].length).toBeLessThanOrEqual(50);
    tty.resize(120, 50);
    await shows(tty, HINT);
    expect(tty.screen()).toHaveLength(50);
  });
});

describe("the terminal is restored", () => {
  const isGivenBack = (tty: FakeTty) => {
    expect(tty.text()).toContain(FULL_SCREEN);
    expect(tty.text().endsWith(NORMAL_SCREEN)).toBe(true);
    expect(tty.isRaw()).toBe(false);
  };

  it.each(["q", "\x03"])("on %j, with exit code 0", async (key) => {
    const { tty, ended } = start();
    await shows(tty, "nothing to decide");
    tty.type(key);
    expect((await ended).code).toBe(0);
    isGivenBack(tty);
  });

  it("on q before the list is loaded", async () => {
    const { tty, ended } = start();
    tty.type("q");
    expect((await ended).code).toBe(0);
    isGivenBack(tty);
  });

  it("on a signal", async () => {
    const { tty, ended } = start();
    await shows(tty, "nothing to decide");
    stop.abort();
    expect((await ended).code).toBe(0);
    isGivenBack(tty);
  });

  it("when it hangs up", async () => {
    const { tty, ended } = start();
    await shows(tty, "nothing to decide");
    tty.input.destroy(new Error("EIO"));
    expect((await ended).code).toBe(0);
    isGivenBack(tty);
  });

  it("without a daemon, and the exit code is 69", async () => {
    await daemon.stop();
    const { tty, ended } = start();
    expect((await ended).code).toBe(69);
    isGivenBack(tty);
  });

  it("on an impossible answer from the daemon", async () => {
    const { tty, ended } = start();
    await shows(tty, "nothing to decide");
    daemon.appendRaw('{"type":"nexusd.write.rejected"');
    expect((await ended).code).toBe(1);
    isGivenBack(tty);
  });
});
