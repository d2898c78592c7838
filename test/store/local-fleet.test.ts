import { expect, test } from "vitest";
import type { Lease } from "../../src/contract/fleet.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/store.ts";

const open = async () => {
  const clock = createFakeClock();
  const store = await openStore({ dataDir: temporaryDirectory(), clock, node: "one", version: "1.2.3" });
  return { clock, store, fleet: store.fleet };
};

test("the only node holds whatever it asks for, without a timer, until the work settles", async () => {
  const { clock, store, fleet } = await open();
  const before = clock.pending();
  let lease: Lease | undefined;
  const work = Promise.withResolvers<number>();
  const done = fleet.hold("watch:stock", new AbortController().signal, (given) => {
    lease = given;
    return work.promise;
  });
  expect(clock.pending()).toBe(before);
  expect([lease?.resource, lease?.signal.aborted, lease?.heldUntil()]).toEqual([
    "watch:stock",
    false,
    Number.POSITIVE_INFINITY,
  ]);
  expect(await fleet.leases()).toEqual([
    { resource: "watch:stock", node: "one", token: 1, since: "2026-01-01T00:00:00.000Z" },
  ]);
  expect(await fleet.tryHold("watch:stock", async () => "also")).toEqual({ result: "also" });
  expect(lease?.signal.aborted).toBe(false);
  work.resolve(7);
  expect(await done).toBe(7);
  expect(lease?.signal.aborted).toBe(true);
  expect(await fleet.leases()).toEqual([]);
  await store.close();
});

test("a work that fails is reported as it failed, and one that was called off does not begin", async () => {
  const { store, fleet } = await open();
  const failing = fleet.tryHold("x", () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  let begun = false;
  const held = fleet.hold("x", AbortSignal.abort(new Error("off")), async () => {
    begun = true;
  });
  await expect(held).rejects.toThrow("off");
  expect([begun, await fleet.leases()]).toEqual([false, []]);
  await store.close();
});

test("the only node is listed, and cannot drain", async () => {
  const { store, fleet } = await open();
  expect(await fleet.nodes()).toEqual([
    {
      ...{ name: "one", version: "1.2.3", state: "up" },
      ...{ startedAt: "2026-01-01T00:00:00.000Z", seenAt: "2026-01-01T00:00:00.000Z" },
    },
  ]);
  await expect(fleet.drain(true)).rejects.toMatchObject({ code: "unusable" });
  await fleet.drain(false);
  await store.close();
});
