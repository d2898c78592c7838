import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { ofState, painted, painterFor } from "../../src/cli/terminal/colour.ts";
import { width } from "../../src/core/text/visible.ts";
import { createFakeDaemon, type FakeDaemon, runCli, runHere } from "../support/cli.ts";
import { type FakeWrites, serveWrites } from "../support/fake-writes.ts";
import fc from "../support/fc.ts";
import { noTerminal, onTerminal } from "../support/pty.ts";
import { createFakeTty, runAtTty } from "../support/tty.ts";

const ESCAPE = "\x1b";
/** The escape character as a visible sign. */
const seen = (text: string) => text.replaceAll(ESCAPE, "␛");
const green = (text: string) => `\x1b[32m${text}\x1b[39m`;
const yellow = (text: string) => `\x1b[33m${text}\x1b[39m`;
const red = (text: string) => `\x1b[31m${text}\x1b[39m`;
const cyan = (text: string) => `\x1b[36m${text}\x1b[39m`;

let daemon: FakeDaemon;
let writes: FakeWrites;
let ids: string[];
beforeAll(async () => {
  daemon = createFakeDaemon();
  writes = serveWrites(daemon);
  await daemon.start();
  daemon.append("daemon.started", { version: "1" });
  daemon.append("nexus.stock.low", { sku: "A-1", name: "Bolt 漢", availableQuantity: 3, threshold: 10 });
  daemon.append("job.failed", { job: "j", code: "c", message: `m${"\x1b[41m"}` });
  ids = [writes.propose().id, writes.propose().id];
});
afterAll(() => daemon.remove());

const on = (...args: string[]) => ["--socket", daemon.socket, ...args];
const XTERM = { TERM: "xterm-256color" };

describe("with colours", () => {
  it("each state of a service or job, type of event and decision has a colour of its own", async () => {
    const status = await runHere(on("status"), 100, XTERM);
    expect(status.stdout).toContain(`messaging  ${green("ok")} `);
    expect(status.stdout).toContain(`nex        ${red("down")} `);
    const events = await runHere(on("events"), 100, XTERM);
    for (const type of [cyan("daemon.started"), yellow("nexus.stock.low"), red("job.failed")])
      expect(events.stdout).toContain(`  ${type} `);
    const list = await runHere(on("writes"), 120, XTERM);
    expect(seen(list.stdout)).toMatch(/ ␛\[33mproposed, [^␛]+ left␛\[39m /);
    const rejected = await runHere(on("writes", "reject", ids[0] ?? "", "--reason", "no"), 100, XTERM);
    expect(seen(rejected.stdout)).toMatch(/ ␛\[2mrejected [^␛]+ ago: no␛\[22m$/m);
    const { stdout } = await runHere(on("writes", "show", ids[0] ?? ""), 100, XTERM);
    expect(seen(stdout)).toMatch(/^state {7}␛\[2mrejected [^␛]+␛\[22m$/m);
  });

  test.each([["status"], ["events"], ["jobs"], ["writes"]])(
    "%s has the same columns with and without colours, even if a line is cut",
    async (command) => {
      for (const columns of [24, 40, 120]) {
        const [colourful, sober] = [
          await runHere(on(command), columns, XTERM),
          await runHere(on(command), columns),
        ];
        if (columns === 120) expect(colourful.stdout).toContain(ESCAPE);
        const unaged = (text: string) => text.replace(/\d+ (s|min) ago/g, "N ago");
        expect(unaged(stripVTControlCharacters(colourful.stdout))).toBe(unaged(sober.stdout));
      }
    },
  );

  it("a line is cut before it is coloured: every colour is closed in it", () => {
    const paint = painterFor(XTERM) ?? expect.fail();
    const piece = fc.record({ text: fc.string(), state: fc.constantFrom("ok", "down", "of no tone") });
    fc.assert(
      fc.property(fc.array(piece), fc.integer({ min: 1, max: 60 }), (pieces, columns) => {
        const line = pieces.map(({ state, text }) => ofState(state, text));
        const text = painted(line, columns, paint);
        const sober = painted(line, columns, undefined);
        expect(width(sober)).toBeLessThanOrEqual(columns);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour is
        expect(text.replace(/\x1b\[3\dm([^\x1b]*)\x1b\[39m/g, "$1")).toBe(sober);
      }),
    );
  });
});

describe("a write to decide", () => {
  const DELETES = { destructive: true, about: "order o-1" };
  const preview = async (env: Record<string, string>) => {
    const { id } = writes.propose({ destructive: true });
    const tty = createFakeTty();
    const ended = runAtTty(on("writes", "approve", id), tty, undefined, env);
    await tty.until(() => tty.text().includes("[y/N]"));
    tty.type("n\r");
    await ended;
    return tty.text();
  };
  const watched = async (env: Record<string, string>) => {
    writes.propose(DELETES);
    const tty = createFakeTty(120);
    const stop = new AbortController();
    const ended = runAtTty(on("writes", "watch"), tty, stop.signal, env);
    await tty.until(() => tty.text().includes("DELETES: "));
    stop.abort();
    await ended;
    return tty.text();
  };

  it("has its warnings in colour, above the question and in the inbox", async () => {
    expect(seen(await preview(XTERM))).toMatch(/␛\[31m!! THIS DELETES FOR GOOD[^␛]*␛\[39m/);
    const text = seen(await watched(XTERM));
    expect(text).toMatch(/␛\[31mDELETES: [^␛]*␛\[39m/);
    expect(text).toMatch(/writes watch: ␛\[33m\d+ to decide␛\[39m/);
  });

  test.each([[{ ...XTERM, NO_COLOR: "1" }], [{ TERM: "dumb" }]])(
    "has the same words and no colours with %j",
    async (env) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what a colour is
      for (const text of [await preview(env), await watched(env)]) expect(text).not.toMatch(/\x1b\[\d*m/);
    },
  );

  it("has no text from outside that looks like a warning", async () => {
    const { id } = writes.propose({ reason: "x\n!! NOT WHAT IT LOOKS LIKE", agent: "!! a" });
    const { stdout } = await runHere(on("writes", "show", id), 40, XTERM);
    expect(seen(stdout)).not.toContain("␛[31m");
  });
});

describe("no colour", () => {
  test.each<[string, Record<string, string>]>([
    ["NO_COLOR", { ...XTERM, NO_COLOR: "1" }],
    ["a dumb terminal", { TERM: "dumb" }],
    ["FORCE_COLOR=0", { ...XTERM, FORCE_COLOR: "0" }],
    ["a terminal that does not say what it is", {}],
  ])("is shown with %s", async (_, env) => {
    expect((await runHere(on("status"), 100, env)).stdout).not.toContain(ESCAPE);
  });

  it("is in JSON, even at a terminal and whatever the environment asks for", async () => {
    const { stdout } = await runHere(on("--json", "status"), 100, { ...XTERM, FORCE_COLOR: "3" });
    expect(JSON.parse(stdout)).toMatchObject({ store: { state: "ok" } });
    expect(stdout).not.toContain(ESCAPE);
  });

  it("is in a pipe, whatever the environment asks for", async () => {
    const { stdout, stderr } = await runCli(on("status"), { ...XTERM, FORCE_COLOR: "3" });
    expect(JSON.parse(stdout)).toMatchObject({ store: { state: "ok" } });
    expect(stdout + stderr).not.toContain(ESCAPE);
  });
});

test("an empty NO_COLOR has no effect; FORCE_COLOR overrides NO_COLOR and a dumb terminal", () => {
  for (const env of [
    { ...XTERM, NO_COLOR: "" },
    { TERM: "dumb", FORCE_COLOR: "1" },
    { ...XTERM, NO_COLOR: "1", FORCE_COLOR: "1" },
  ])
    expect(painterFor(env)?.("good", "ok"), JSON.stringify(env)).toBe(green("ok"));
});

describe.skipIf(noTerminal)(noTerminal ?? "a real terminal", () => {
  it("shows colours if the terminal has them, and none with NO_COLOR", async () => {
    const colourful = await onTerminal(on("status")).ended;
    expect(colourful).toContain(`messaging  ${green("ok")} `);
    const sober = await onTerminal(on("status"), { env: { NO_COLOR: "1" } }).ended;
    expect(sober).toContain("messaging  ok ");
    expect(sober).not.toContain(ESCAPE);
  });
});
