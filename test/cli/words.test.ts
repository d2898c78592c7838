// Words as people type them: text that starts with a dash, help in another order, an unknown type.

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createFakeDaemon, type FakeDaemon, runHere } from "../support/cli.ts";
import { serveWrites } from "../support/fake-writes.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
});
afterEach(() => daemon.remove());
const here = (...args: string[]) => runHere(["--socket", daemon.socket, ...args]);

describe("a text that starts with a dash", () => {
  it.each([
    [["- item"], "- item"],
    [["-3 degrees outside"], "-3 degrees outside"],
    [["-3"], "-3"],
    [["-- two dashes"], "-- two dashes"],
    [["-hello there"], "-hello there"],
    [["--", "-hello"], "-hello"],
    [["--no-wait", "--", "--strict"], "--strict"],
    [["- item", "--no-wait"], "- item"],
    [["--reason", "- because", "- item"], "- item"],
    [["--agent=a b", "→ and a\nline"], "→ and a\nline"],
  ])("is sent by messaging send workshop %j", async (args, text) => {
    const fake = serveWrites(daemon);
    await here("messaging", "send", "--no-wait", "workshop", ...args);
    const bodies = fake.bodies.map((body) => JSON.parse(body.text));
    expect(bodies).toMatchObject([
      { operation: "messaging.messages.send", input: { session: "workshop", text } },
    ]);
    if (args[0] === "--reason") expect(bodies[0]).toMatchObject({ reason: "- because" });
  });

  it.each(["--strcit", "-x", "--no-wiat", "--strict=yes please"])(
    "is not accepted if it looks like an option: %s",
    async (word) => {
      serveWrites(daemon);
      const { code, stdout, stderr } = await here("messaging", "send", "workshop", "hello", word);
      expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
      expect(stderr).toContain('after "--"');
      expect(daemon.requests).toStrictEqual([]);
    },
  );
});

it.each([
  [["operations", "nexus.orders.list"], "nexusctl help operations"],
  [["--config", "x.toml", "events", "help"], "nexusctl help events"],
  [["writes", "show", "a", "b"], "nexusctl help writes show"],
])("%j has one argument too many, and the error names the help to read", async (args, hint) => {
  const { code, stderr } = await here(...args);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(hint) });
});

describe("help", () => {
  it.each([
    [["help", "writes", "approve"], "Usage: nexusctl writes approve "],
    [["writes", "help", "approve"], "Usage: nexusctl writes approve "],
    [["writes", "approve", "--help"], "Usage: nexusctl writes approve "],
    [["--json", "help", "events"], "Usage: nexusctl events "],
    [["help", "messaging", "send"], "Usage: nexusctl messaging send "],
    [["help", "read", "nexus.orders.get"], "Usage: nexusctl read "],
    [["help"], "Usage: nexusctl [options]"],
  ])("of %j is that of the command itself", async (args, usage) => {
    const { code, stdout } = await here(...args);
    expect(code).toBe(0);
    expect(stdout.startsWith(usage)).toBe(true);
  });

  it("of an unknown command names the nearest, with exit code 2", async () => {
    expect(await here("help", "writes", "aprove")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("did you mean approve?"),
    });
  });
});

describe("a misspelt event type", () => {
  it.each([
    ["events", "--type", "nexus.orders.pending"],
    ["events", "--follow", "--type", "nexus.orders.pending"],
    ["consumers", "create", "mine", "--type", "nexus.orders.pending"],
  ])("is refused with the nearest by %s %s %s %s", async (...args) => {
    const { code, stdout, stderr } = await here(...args);
    expect({ code, stdout }).toStrictEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("nexusd.nexus.order.pending");
    expect(daemon.requests).toStrictEqual([]);
  });
});
