// Numbers that a model sends as text inside the input of an operation.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createClient } from "../../src/client/index.ts";
import { numbersIn } from "../../src/mcp/numbers.ts";
import { proposeOnce } from "../../src/mcp/once.ts";
import type { ToolContext } from "../../src/mcp/tool.ts";
import { startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { realWritePath } from "../support/write-path.ts";

const schema = z.toJSONSchema(
  z.object({
    count: z.int().optional(),
    price: z.number().nullish(),
    name: z.string(),
    either: z.union([z.string(), z.int()]),
    lines: z.array(z.object({ quantity: z.int(), sku: z.string() })),
    anything: z.unknown(),
  }),
  { io: "input" },
);

describe("a number sent as text", () => {
  test.each([
    ["an integer", { count: "5" }, { count: 5 }],
    ["a negative one", { count: "-5" }, { count: -5 }],
    ["a price", { price: "12.50" }, { price: 12.5 }],
    [
      "in the objects of a list",
      { lines: [{ quantity: "2", sku: "7" }] },
      { lines: [{ quantity: 2, sku: "7" }] },
    ],
  ])("is taken as a number: %s", (_, given, meant) => {
    expect(numbersIn(schema, given)).toEqual(meant);
  });

  test.each([
    ["where text is taken", { name: "5", either: "5", anything: "5", unknown: "5" }],
    ["where it is no number", { count: "5.5", price: "1e3", lines: [{ quantity: "two" }] }],
    ["where it has other digits than the number has", { count: "9007199254740993" }],
    ["where it is empty, or has blanks", { count: "", price: " 5" }],
  ])("stays text: %s", (_, given) => {
    expect(numbersIn(schema, given)).toBe(given);
  });

  test("of an operation is proposed as the number, which is the same write", async () => {
    const { sockets } = await startTestControl({
      clock: createFakeClock(Date.parse("2026-03-01T12:00:00Z")),
      writePath: (store, clock) => realWritePath({ store, clock }),
    });
    const client = createClient({ agentSocket: sockets.agent, operatorSocket: sockets.operator });
    const context: ToolContext = {
      ...{ client, ownConsumer: "me", signal: new AbortController().signal },
      consumer: async (name) => name ?? "none",
    };
    const propose = (limit: unknown) =>
      proposeOnce(context, {
        operation: "nexus.orders.create",
        input: { customerId: "6f1c4b7e-0000-4000-8000-000000000001", totalAmount: limit, currency: "EUR" },
      });
    const asText = await propose("12.50");
    const asNumber = await propose(12.5);
    expect(asNumber).toMatchObject({ isRepeated: true, write: { id: asText.write.id } });
    await expect(propose("twelve")).rejects.toMatchObject({ code: "invalid_input" });
  });
});
