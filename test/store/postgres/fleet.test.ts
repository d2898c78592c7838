// Several nodes on one schema: who holds what, what a late commit leaves behind, and what readers on another node see.

import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { Lease } from "../../../src/contract/fleet.ts";
import type { Store } from "../../../src/contract/store.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { followLog } from "../../../src/store/tail.ts";
import { postgresUrl } from "../../support/open-store.ts";
import { startPostgres } from "../../support/postgres.ts";
import { numbered, numbersOf, temporaryDirectory } from "../../support/store.ts";
import { connectTo, newSchema, openPostgres } from "./harness.ts";
import { startProxy } from "./proxy.ts";

const everything = { after: 0, limit: 10_000 };
const never = () => new AbortController().signal;

const commit = (store: Store, ...numbers: number[]) =>
  store.commitObservation({ source: "s", events: numbers.map((n) => numbered(n)) });

/** Two nodes on one schema. */
const pair = async (options: Parameters<typeof openPostgres>[0] = {}) => {
  const schema = newSchema();
  const open = (node: string) => openPostgres({ schema, node, ...options });
  return { schema, open, a: await open("a"), b: await open("b") };
};

/** Holds a resource until it is told to let go. */
async function holding(store: Store, resource: string) {
  const held = Promise.withResolvers<Lease>();
  const free = Promise.withResolvers<void>();
  const isOver = store.fleet.hold(resource, never(), async (lease) => {
    held.resolve(lease);
    await free.promise;
  });
  const lease = await held.promise;
  return {
    lease,
    letGo: async () => {
      free.resolve();
      await isOver;
    },
  };
}

test("a resource has one holder; the next one gets it as soon as it is released, with a greater token", async () => {
  const { a, b } = await pair();
  const first = await holding(a, "x");
  expect(await b.fleet.tryHold("x", async () => {})).toBeUndefined();
  expect(await b.fleet.tryHold("y", async () => "free")).toEqual({ result: "free" });
  const [before] = await b.fleet.leases();
  expect(before).toMatchObject({ resource: "x", node: "a", since: expect.stringMatching(/^20.*\.\d{3}Z$/) });
  expect(first.lease.heldUntil()).toBeGreaterThan(systemClock.monotonic());
  const second = holding(b, "x");
  await first.letGo();
  const releasedAt = performance.now();
  const { letGo } = await second;
  expect(performance.now() - releasedAt).toBeLessThan(900);
  expect(first.lease.signal.aborted).toBe(true);
  expect(first.lease.heldUntil()).toBe(Number.NEGATIVE_INFINITY);
  const [after] = await a.fleet.leases();
  expect(after).toMatchObject({ resource: "x", node: "b" });
  expect(after?.token).toBeGreaterThan(before?.token ?? Number.POSITIVE_INFINITY);
  await letGo();
  await expect.poll(() => a.fleet.leases()).toEqual([]);
});

test("works of one node share a lease, which ends with the last of them", async () => {
  const { a, b } = await pair();
  const [one, other] = [await holding(a, "x"), await holding(a, "x")];
  await one.letGo();
  expect(other.lease.signal.aborted).toBe(false);
  expect(await b.fleet.tryHold("x", async () => {})).toBeUndefined();
  await other.letGo();
  await expect.poll(() => b.fleet.tryHold("x", async () => "free")).toEqual({ result: "free" });
});

test("who stops waiting gets nothing, and nobody else is kept from it", async () => {
  const { a, b } = await pair();
  const first = await holding(a, "x");
  const calledOff = new AbortController();
  const waiting = b.fleet.hold("x", calledOff.signal, async () => "held");
  calledOff.abort(new Error("off"));
  await expect(waiting).rejects.toThrow("off");
  await first.letGo();
  await expect.poll(() => a.fleet.tryHold("x", async () => "free")).toEqual({ result: "free" });
});

test("a commit under a lease that another node took is refused with nothing of it left, and those beside it are not", async () => {
  const { schema, a, b } = await pair();
  const superuser = await connectTo(schema);
  const refused = await a.fleet.tryHold("x", async (lease) => {
    await commit(a, 1);
    // As another node would, which takes this one for lost.
    await superuser.query(
      "UPDATE leases SET holder = 1, token = nextval('lease_tokens') WHERE resource = 'x'",
    );
    // In one group: also from timers, and from what was started under the lease before.
    const late = [
      commit(a, 2),
      sleep(0).then(() => commit(a, 3)),
      new Promise((resolve, reject) => setTimeout(() => commit(a, 4).then(resolve, reject), 1)),
      a.commitObservation({ source: "s", events: [numbered(5)], canWait: true }),
    ];
    const outcomes = await Promise.allSettled(late);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && outcome.reason.code)).toEqual([
      "fenced",
      "fenced",
      "fenced",
      "fenced",
    ]);
    return lease;
  });
  // Outside of the lease, beside a late one in the same turn.
  const lease = refused?.result;
  expect(lease?.signal.aborted).toBe(true);
  await expect(commit(a, 6)).resolves.toMatchObject({ latest: 2 });
  expect(numbersOf(await b.readEvents(everything))).toEqual([1, 6]);
});

test("a group of commits with a late one in it loses only that one", async () => {
  const { schema, a } = await pair();
  const superuser = await connectTo(schema);
  const [x, y] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const go = Promise.withResolvers<void>();
  const under = (resource: string, n: number, held: PromiseWithResolvers<void>) =>
    a.fleet.hold(resource, never(), async () => {
      held.resolve();
      await go.promise;
      return commit(a, n);
    });
  const [late, fine] = [under("x", 1, x), under("y", 2, y)];
  await Promise.all([x.promise, y.promise]);
  await superuser.query("DELETE FROM leases WHERE resource = 'x'");
  go.resolve();
  const loose = commit(a, 3);
  await expect(late).rejects.toMatchObject({
    code: "fenced",
    message: expect.stringMatching(/lease of x is lost/),
  });
  await Promise.all([fine, loose]);
  expect(numbersOf(await a.readEvents(everything)).sort()).toEqual([2, 3]);
});

test("what a listener does after a commit is not done under the lease of that commit", async () => {
  const { a } = await pair();
  const done: Promise<unknown>[] = [];
  let isFirst = true;
  const lease = Promise.withResolvers<void>();
  onTestFinished(
    a.onAppend(() => {
      if (!isFirst) return;
      isFirst = false;
      done.push(lease.promise.then(() => commit(a, 2)));
    }),
  );
  await a.fleet.tryHold("x", () => commit(a, 1));
  lease.resolve();
  expect((await Promise.all(done)).length).toBe(1);
  expect(numbersOf(await a.readEvents(everything))).toEqual([1, 2]);
});

test("a work inside another one is fenced by both leases", async () => {
  const { schema, a } = await pair();
  const superuser = await connectTo(schema);
  await a.fleet.tryHold("outer", () =>
    a.fleet
      .tryHold("inner", async () => {
        await superuser.query("DELETE FROM leases WHERE resource = 'outer'");
        await expect(commit(a, 1)).rejects.toMatchObject({ code: "fenced" });
      })
      .then(() => {}),
  );
});

test("a node that drains takes nothing and gives what it has when its work settles; then it takes again", async () => {
  const { a, b } = await pair();
  const first = await holding(a, "x");
  await a.fleet.drain(true);
  expect(first.lease.signal.aborted).toBe(true);
  expect(await a.fleet.tryHold("y", async () => {})).toBeUndefined();
  expect(await b.fleet.nodes()).toMatchObject([
    { name: "a", state: "draining" },
    { name: "b", state: "up" },
  ]);
  // What it still does is done under its lease.
  expect(await b.fleet.tryHold("x", async () => {})).toBeUndefined();
  const second = holding(b, "x");
  await first.letGo();
  const { letGo } = await second;
  const third = holding(a, "x");
  await a.fleet.drain(false);
  await letGo();
  await (await third).letGo();
});

test("sequences have no hole and follow the order of commits of all nodes, as a reader on another node sees them", async () => {
  const { a: reader, b, open } = await pair();
  const writers = [b, await open("c"), await open("d")];
  const seen: { sequence: number; n: number; id: string }[] = [];
  const stop = new AbortController();
  const tail = followLog({ store: reader, clock: systemClock, signal: stop.signal });
  const reading = (async () => {
    for (let after = 0; seen.length < 300 * 3; ) {
      const page = await tail.read({ after, limit: 100 }, 5000);
      for (const { sequence, json } of page.events) {
        const { id, data } = JSON.parse(json);
        seen.push({ sequence, n: Number(data.state), id });
      }
      after = page.next;
    }
  })();
  const told = new Map<number, number>();
  await Promise.all(
    writers.map(async (store, at) => {
      for (let n = 0; n < 300; n++) {
        const own = at * 1000 + n;
        const { appended, latest } = await commit(store, own);
        told.set(own, appended[0]?.sequence ?? 0);
        expect(latest).toBeGreaterThanOrEqual(appended[0]?.sequence ?? 0);
      }
    }),
  );
  await reading;
  stop.abort();
  expect(seen.map(({ sequence }) => sequence)).toEqual(seen.map((_, at) => at + 1));
  for (const { sequence, n } of seen) expect(told.get(n)).toBe(sequence);
  // Each writer's own come in its order, and the ids sort as the log does.
  for (const at of writers.keys())
    expect(seen.flatMap(({ n }) => (Math.floor(n / 1000) === at ? [n % 1000] : []))).toEqual(
      Array.from({ length: 300 }, (_, n) => n),
    );
  const ids = seen.map(({ id }) => id);
  expect([...ids].sort()).toEqual(ids);
  expect(await reader.readEventTypes()).toEqual(["nexusd.service.recovered"]);
});

test("what a service repeats is known on every node, and consumers that one node moves are told by the others", async () => {
  const { a, b } = await pair();
  const event = { ...numbered(1), dedupe: { scope: "s", match: ["k"], record: ["k"] } };
  expect((await a.commitObservation({ source: "s", events: [event] })).appended.length).toBe(1);
  expect((await b.commitObservation({ source: "s", events: [event] })).duplicates).toBe(1);
  await a.putConsumer("agent", 0);
  const moved: [string, number][] = [];
  onTestFinished(b.onAcknowledge((...movement) => moved.push(movement)));
  await a.ackConsumer("agent", 1);
  await expect.poll(() => moved).toContainEqual(["agent", 1]);
});

test("readers on a node are told of commits of another one also where no message arrives", async () => {
  const schema = newSchema();
  const a = await openPostgres({ schema, node: "a" });
  const b = await openPostgres({ schema, node: "b" });
  const superuser = await connectTo(schema);
  const told: number[] = [];
  onTestFinished(b.onAppend((latest) => told.push(latest)));
  await superuser.query(
    `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN ${schema}.nodes n ON
       ((l.classid::bigint << 32) | l.objid::bigint) = n.incarnation + 1 WHERE n.name = 'b' AND l.locktype = 'advisory'`,
  );
  await commit(a, 1);
  await expect.poll(() => told).toEqual([1]);
});

test("a lease survives the loss of each session of its node, one after the other", async () => {
  const { schema, a, b } = await pair();
  const { lease, letGo } = await holding(a, "x");
  const superuser = await connectTo(schema);
  const end = (slots: string) =>
    superuser.query(
      `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN ${schema}.nodes n ON
         ((l.classid::bigint << 32) | l.objid::bigint) - n.incarnation IN (${slots})
       WHERE n.name = 'a' AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock'`,
    );
  for (const slot of ["0", "1", "2"]) {
    await end(slot);
    await sleep(500);
    expect(lease.signal.aborted, slot).toBe(false);
    await commit(a, 1);
  }
  expect(await b.fleet.tryHold("x", async () => {})).toBeUndefined();
  await letGo();
});

test("a key that another node does not have is not used to encrypt, at the start and while it is open", async () => {
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const { schema, a, b } = await pair({ keys: [one] });
  await a.commitObservation({ source: "s", secrets: [{ name: "session", value: "a-key-of-a-session" }] });
  await expect(a.setKeys([two, one])).rejects.toMatchObject({
    code: "unusable",
    message: expect.stringMatching(
      /first key is not known to node b; .*behind the present one on every node/,
    ),
  });
  await expect(openPostgres({ schema, node: "c", keys: [two, one] })).rejects.toMatchObject({
    code: "unusable",
  });
  await a.setKeys([one, two]);
  await b.setKeys([one, two]);
  await a.setKeys([two, one]);
  await b.commitObservation({ source: "s", secrets: [{ name: "other", value: "another-key-of-it" }] });
  await b.setKeys([two, one]);
  await Promise.all([a.setKeys([two]), b.setKeys([two])]);
  for (const store of [a, b])
    expect([await store.readSecret("session"), await store.readSecret("other")]).toEqual([
      "a-key-of-a-session",
      "another-key-of-it",
    ]);
});

test("a node without the database loses its leases in time, and takes some again when it is back", async () => {
  const schema = newSchema();
  const proxy = await startProxy(postgresUrl());
  const a = await openPostgres({ schema, node: "a", url: proxy.url });
  const b = await openPostgres({ schema, node: "b" });
  const { lease, letGo } = await holding(a, "x");
  const taken = holding(b, "x");
  const startedAt = performance.now();
  proxy.freeze(true);
  const lost = new Promise<number>((resolve) =>
    lease.signal.addEventListener("abort", () => resolve(performance.now()), { once: true }),
  );
  const second = await taken;
  const takenAt = performance.now();
  // Before anybody else could have it.
  expect(await lost).toBeLessThanOrEqual(takenAt);
  expect(takenAt - startedAt).toBeLessThan(8000);
  expect(lease.heldUntil()).toBeLessThan(systemClock.monotonic());
  expect(await b.fleet.nodes()).toMatchObject([
    { name: "a", state: "lost" },
    { name: "b", state: "up" },
  ]);
  proxy.freeze(false);
  const backAt = performance.now();
  await letGo();
  await expect
    .poll(() => a.fleet.tryHold("y", async () => "back").catch(() => undefined))
    .toEqual({
      result: "back",
    });
  process.stderr.write(
    `cut: taken over after ${Math.round(takenAt - startedAt)} ms, back after ${Math.round(performance.now() - backAt)} ms\n`,
  );
  await expect.poll(() => b.fleet.nodes()).toMatchObject([{ name: "a", state: "up" }, { name: "b" }]);
  await second.letGo();
}, 60_000);

test("a promoted replica that lacks commits is noticed by every node, which all end with one new epoch", async () => {
  const server = await startPostgres();
  onTestFinished(server.stop);
  const schema = newSchema();
  const open = (node: string, dataDir: string) => openPostgres({ url: server.url, schema, node, dataDir });
  const directories = ["a", "b", "c"].map((node) => [node, temporaryDirectory()] as const);
  const seed = await open("a", temporaryDirectory());
  await commit(seed, 1);
  await seed.close();
  await server.kill();
  server.save();
  await server.start();
  const first = await Promise.all(directories.map(([node, directory]) => open(node, directory)));
  await commit(first[0] as Store, 2, 3);
  for (const store of first)
    await expect.poll(() => store.readEvents(everything)).toMatchObject({ latest: 3 });
  await server.kill();
  server.restore();
  await server.start();
  for (const store of first) {
    // Neither read nor committed.
    await expect(store.readEvents(everything)).rejects.toMatchObject({ code: "unusable" });
    await expect(commit(store, 4)).rejects.toMatchObject({
      code: "unusable",
      message: expect.stringContaining("went back in time"),
    });
    await store.close();
  }
  const second = await Promise.all(directories.map(([node, directory]) => open(node, directory)));
  expect(new Set(second.map(({ epoch }) => epoch)).size).toBe(1);
  expect(second[0]?.epoch).not.toBe(first[0]?.epoch);
  await commit(second[1] as Store, 4);
  expect(numbersOf(await (second[2] as Store).readEvents(everything))).toEqual([1, 4]);
}, 120_000);
