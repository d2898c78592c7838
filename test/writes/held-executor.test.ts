// The executor of a fleet: one node at a time executes writes, and none that may have lost its lease.

import { expect, it, vi } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { systemClock as clock } from "../../src/core/clock.ts";
import type { Executor } from "../../src/writes/executor.ts";
import { createHeldExecutor } from "../../src/writes/held-executor.ts";
import { createFakeFleet } from "../support/fake-fleet.ts";
import { openTestStore } from "../support/store.ts";

/** Executors of the nodes "a" and "b" that only say what becomes of them. */
async function twoNodes() {
  const store = await openTestStore();
  const fleet = createFakeFleet();
  const said: string[] = [];
  const approved = { approved: 0 };
  const held = new Map<string, () => boolean>();
  const nodeOf = (node: string) => {
    const shared: Store = {
      ...fleet.storeOf(node, store),
      countWrites: async () => ({ ...(await store.countWrites()), ...approved }),
    };
    const log = { warn: (_: object, text: string) => said.push(text) };
    return createHeldExecutor({ store: shared, clock, log }, (mayBegin = () => true): Executor => {
      held.set(node, mayBegin);
      return {
        start: async () => void said.push(`${node} starts`),
        wake: () => void said.push(`${node} looks`),
        retryNow: () => {},
        stop: async (graceMs) => void said.push(`${node} stops within ${graceMs} ms`),
      };
    });
  };
  return { fleet, said, approved, held, a: nodeOf("a"), b: nodeOf("b") };
}

it("one node executes writes; when it stops, the next one starts with what was left", async () => {
  const { said, a, b } = await twoNodes();
  await a.start();
  await vi.waitFor(() => expect(said).toEqual(["a starts"]));
  await b.start();
  a.wake();
  b.wake();
  await a.stop(1000);
  await vi.waitFor(() => expect(said).toEqual(["a starts", "a looks", "a stops within 1000 ms", "b starts"]));
  await b.stop(0);
});

it("a node that lost its lease is cut at once, and sends nothing more", async () => {
  const { fleet, said, held, a, b } = await twoNodes();
  await a.start();
  await vi.waitFor(() => expect(said).toEqual(["a starts"]));
  expect(held.get("a")?.()).toBe(true);
  await b.start();
  fleet.lose("executor");
  expect(held.get("a")?.()).toBe(false);
  await vi.waitFor(() => expect(said).toEqual(["a starts", "a stops within 0 ms", "b starts"]));
  await Promise.all([a.stop(0), b.stop(0)]);
});

it("what is approved on another node is found within about a second", async () => {
  const { said, approved, a } = await twoNodes();
  await a.start();
  await vi.waitFor(() => expect(said).toEqual(["a starts"]));
  approved.approved = 1;
  await vi.waitFor(() => expect(said).toContain("a looks"), { timeout: 3000 });
  await a.stop(0);
});
