import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keysOf, openTerminal } from "../../src/cli/terminal/terminal.ts";
import { wrapped } from "../../src/cli/writes/preview-view.ts";
import { width } from "../../src/core/text/visible.ts";
import { createFakeDaemon, type FakeDaemon } from "../support/cli.ts";
import { type FakeWrites, serveWrites } from "../support/fake-writes.ts";
import fc from "../support/fc.ts";
import { noTerminal, onTerminal, type Terminal } from "../support/pty.ts";
import { createFakeTty } from "../support/tty.ts";

describe("keys", () => {
  it("have names, however a terminal encodes them; unnamed ones are ignored", () => {
    expect(keysOf("aé漢👍")).toStrictEqual(["a", "é", "漢", "👍"]);
    expect(keysOf("\x1b[A\x1bOB\x1b[5~\x1b[H\r\x7f\x03")).toStrictEqual([
      ...["up", "down", "pageup", "home"],
      ...["enter", "backspace", "ctrl-c"],
    ]);
    expect(keysOf("\x1b")).toStrictEqual(["escape"]);
    expect(keysOf("\x1b[1;5C\x1b[200~y\x1b[201~\x00\x1a")).toStrictEqual(["y"]);
    expect(keysOf("\x1ba")).toStrictEqual(["escape", "a"]);
  });

  it("are recognised even if they arrive in parts, and so is Escape alone", async () => {
    const tty = createFakeTty();
    const keys: string[] = [];
    const terminal = openTerminal(tty, { fullScreen: false, key: (key) => void keys.push(key) });
    tty.type("\x1b");
    tty.type("[");
    tty.type("Ax");
    while (keys.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    tty.type("\x1b");
    while (keys.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    terminal.close();
    tty.type("z");
    expect(keys).toStrictEqual(["up", "x", "escape"]);
  });
});

describe("wrapped text", () => {
  const anyText = fc.array(
    fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\n", " ", "漢", "⚠️", "x".repeat(90))),
  );

  it("is never wider than the terminal, loses nothing, and no continuation looks like a line of its own", () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 12, max: 100 }), (parts, columns) => {
        const lines = wrapped(parts.join(""), columns);
        for (const line of lines) expect(width(line)).toBeLessThanOrEqual(columns);
        for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        const own = lines.filter((line) => !line.startsWith("↪ "));
        if (!parts.join("").includes("↪")) expect(own).toHaveLength(parts.join("").split("\n").length);
      }),
    );
    expect(wrapped(`a${" ".repeat(30)}Approve?`, 20)).toStrictEqual([
      `a${" ".repeat(19)}`,
      `↪ ${" ".repeat(11)}Approv`,
      "↪ e?",
    ]);
  });
});

describe.skipIf(noTerminal)(noTerminal ?? "a real terminal", () => {
  let daemon: FakeDaemon;
  let fake: FakeWrites;
  beforeEach(async () => {
    daemon = createFakeDaemon();
    fake = serveWrites(daemon);
    await daemon.start();
  });
  afterEach(() => daemon.remove());

  const nexusctl = (...args: string[]) => onTerminal(["--socket", daemon.socket, ...args]);

  it("approves what it has shown, and only on a yes typed afterwards", async () => {
    const { id, digest } = fake.propose();
    const terminal = nexusctl("writes", "approve", id);
    terminal.type("y\r");
    await terminal.until("[y/N]");
    terminal.type("y\r");
    expect(await terminal.ended).toMatch(/approved[\s\S]*code 0\r\nrestored/);
    expect(fake.bodies.map(({ text }) => JSON.parse(text))).toStrictEqual([{ digest }]);
  });

  /** A key that is held down: it repeats every 30 ms. */
  const held = async (terminal: Terminal, key: string, ms: number) => {
    for (let n = 0; n < ms / 30; n++) {
      terminal.type(key);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  };

  it("does not ask while someone is typing, and takes nothing typed early for an answer", async () => {
    const { id } = fake.propose();
    const terminal = nexusctl("writes", "approve", id);
    await terminal.until("digest");
    await held(terminal, "y\r", 1500);
    expect(terminal.text()).not.toContain("[y/N]");
    await terminal.until("[y/N]");
    await held(terminal, "y", 300);
    terminal.type("\r");
    expect(await terminal.ended).toMatch(/not approved[\s\S]*code 1\r\nrestored/);
    expect(fake.bodies).toStrictEqual([]);
  });

  it("approves nothing in the inbox while a key is held down", async () => {
    fake.propose();
    const terminal = nexusctl("writes", "watch");
    await terminal.until("1 to decide");
    await held(terminal, "a", 300);
    terminal.type("\r");
    await terminal.until("a: approve");
    await held(terminal, "a", 1800);
    await terminal.until("Nothing was approved");
    expect(fake.bodies).toStrictEqual([]);
    terminal.type("\x1b[F");
    terminal.type("a");
    await terminal.until("nothing to decide");
    expect(fake.bodies).toHaveLength(1);
    terminal.type("q");
    expect(await terminal.ended).toContain("code 0");
  });

  it("shows an inbox, and is restored after q", async () => {
    fake.propose();
    const terminal = nexusctl("writes", "watch");
    await terminal.until("1 to decide");
    fake.propose();
    await terminal.until("2 to decide");
    terminal.type("\r");
    await terminal.until("a: approve");
    terminal.type("q");
    expect(await terminal.ended).toContain("\u001b[?1049lcode 0\r\nrestored");
  });

  it.each(["SIGTERM", "SIGHUP"] as const)("is restored after %s", async (signal) => {
    const terminal = nexusctl("writes", "watch");
    await terminal.until("nothing to decide");
    terminal.kill(signal);
    expect(await terminal.ended).toContain("\u001b[?1049lcode 0\r\nrestored");
  });
});
