// A repeated proposal: the same write for as long as a client may repeat a call, and a new one after that.

import { afterEach, expect, test, vi } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { proposeOnce } from "../../src/mcp/once.ts";
import type { ToolContext } from "../../src/mcp/tool.ts";
import { startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { ORDER_ID, realWritePath } from "../support/write-path.ts";

const MINUTE = 60_000;
const NOW = Date.parse("2026-03-01T12:00:00Z");

afterEach(() => vi.useRealTimers());

async function start() {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const clock = createFakeClock(NOW);
  const { sockets } = await startTestControl({
    clock,
    writePath: (store, clock) => realWritePath({ store, clock }),
  });
  const client = createClient({ agentSocket: sockets.agent, operatorSocket: sockets.operator });
  const context = (ownConsumer?: string): ToolContext => ({
    ...{ client, ownConsumer, signal: new AbortController().signal },
    consumer: async (name) => name ?? "none",
  });
  const propose = async (orderStatus = "shipped", of = context("me"), more: object = {}) => {
    const input = { orderId: ORDER_ID, orderStatus };
    const { write, isRepeated } = await proposeOnce(of, {
      ...{ operation: "nexus.orders.update_status", input, ...more },
    });
    return { id: write.id, isRepeated };
  };
  const pass = (ms: number) => {
    clock.jump(ms);
    vi.setSystemTime(Date.now() + ms);
  };
  return { client, context, propose, pass };
}

test("the same input is the same write, however often it is proposed; another input or agent makes another", async () => {
  const { propose, context, pass } = await start();
  const first = await propose();
  expect(first.isRepeated).toBe(false);
  expect(await propose()).toEqual({ id: first.id, isRepeated: true });
  // As long as it is open it is the same one, even much later.
  pass(5 * 60 * MINUTE);
  expect(await propose()).toEqual({ id: first.id, isRepeated: true });
  const others = [
    await propose("delivered"),
    await propose("shipped", context("other")),
    await propose("shipped", context()),
    await propose("shipped", context("me"), { idempotencyKey: "mine" }),
  ];
  expect(others.map(({ isRepeated }) => isRepeated)).toEqual([false, false, false, false]);
  expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(5);
});

test("concurrent proposals by an impatient client are one write", async () => {
  const { propose } = await start();
  const ids = (await Promise.all(Array.from({ length: 6 }, () => propose()))).map(({ id }) => id);
  expect(new Set(ids).size).toBe(1);
});

test("ten minutes after a write has ended the same input is a new write, again and again", async () => {
  const { propose, client, pass } = await start();
  const seen: string[] = [];
  for (let day = 0; day < 4; day++) {
    const made = await propose();
    expect(made.isRepeated).toBe(false);
    expect(seen).not.toContain(made.id);
    seen.push(made.id);
    await client.writes.cancel(made.id);
    pass(9 * MINUTE);
    expect(await propose()).toEqual({ id: made.id, isRepeated: true });
    pass(2 * MINUTE);
  }
});

test("after its end, another agent's open write with the same input is not returned in its place", async () => {
  const { propose, context, client, pass } = await start();
  const { id } = await propose();
  await client.writes.cancel(id);
  pass(11 * MINUTE);
  const other = await propose("shipped", context("other"));
  const mine = await propose();
  expect(mine.isRepeated).toBe(false);
  expect(mine.id).not.toBe(other.id);
});

test("a key given by the agent stays with its write for ever", async () => {
  const { propose, context, client, pass } = await start();
  const mine = () => propose("shipped", context("me"), { idempotencyKey: "mine" });
  const { id } = await mine();
  await client.writes.cancel(id);
  pass(24 * 60 * MINUTE);
  expect(await mine()).toEqual({ id, isRepeated: true });
});
