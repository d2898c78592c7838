// The scheduler as one node of several: each job runs on one of them, and on another once that has lost it.

import { expect, it } from "vitest";
import { StoreError } from "../../src/contract/store.ts";
import type { Job, JobContext } from "../../src/scheduler/job.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeFleet } from "../support/fake-fleet.ts";
import { createFakeStore, createHarness, deferred, MINUTE, NOON, SECOND } from "./harness.ts";

/** Nodes "a" and "b" with the same jobs on one store and one clock. */
function twoNodes(jobOf: (node: string) => Job) {
  const clock = createFakeClock(NOON);
  const database = createFakeStore();
  const fleet = createFakeFleet();
  const nodeOf = (name: string) =>
    createHarness([jobOf(name)], {
      ...{ clock, store: fleet.storeOf(name, database) },
      holderOf: fleet.holderOf,
    });
  return { clock, database, fleet, a: nodeOf("a"), b: nodeOf("b") };
}

const cron = (run: (context: JobContext) => Promise<void>, catchUp: "none" | "once" = "none"): Job => ({
  ...{ name: "sweep", description: "for tests", kind: "cron", timezone: "UTC", catchUp },
  ...{ schedule: "* * * * *", run },
});

const stream = (run: (context: JobContext) => Promise<void>): Job => ({
  ...{ name: "held", description: "for tests", kind: "stream", run, intervalMs: () => MINUTE },
});

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

it("a job runs on one node at a time, and on the next one once the work of the first has ended", async () => {
  const held = { a: deferred(), b: deferred() };
  const running: string[] = [];
  const { clock, fleet, a, b } = twoNodes((node) =>
    stream(async ({ signal }) => {
      running.push(`${node} begins`);
      await untilAborted(signal);
      running.push(`${node} is told`);
      await held[node as "a" | "b"].promise;
      running.push(`${node} ends`);
    }),
  );
  a.scheduler.start();
  await clock.advance(0);
  b.scheduler.start();
  await clock.advance(SECOND);
  expect(running).toEqual(["a begins"]);
  expect(a.status()).toMatchObject({ node: "a", state: "starting" });
  expect(b.status()).toMatchObject({ node: "a", state: "standby", running: false });

  fleet.lose("job:held");
  await clock.advance(SECOND);
  expect(running).toEqual(["a begins", "a is told"]);
  held.a.resolve();
  await clock.advance(SECOND);
  expect(running).toEqual(["a begins", "a is told", "a ends", "b begins"]);
  expect(a.status()).toMatchObject({ node: "b", state: "standby" });

  held.b.resolve();
  await b.scheduler.stop(SECOND);
  await clock.advance(SECOND);
  expect(running.at(-1)).toBe("a begins");
  await a.scheduler.stop(SECOND);
});

it("each scheduled time is run once, whichever nodes run the job in turn", async () => {
  const ranAt: number[] = [];
  const { clock, fleet, a, b } = twoNodes(() =>
    cron(async ({ clock }) => void ranAt.push(clock.now() - NOON)),
  );
  a.scheduler.start();
  b.scheduler.start();
  for (let minute = 1; minute <= 6; minute++) {
    await clock.advance(MINUTE);
    fleet.lose("job:sweep");
    await clock.advance(0);
  }
  expect(ranAt).toEqual([1, 2, 3, 4, 5, 6].map((minute) => minute * MINUTE));
  expect([...a.eventsOf("job.missed"), ...b.eventsOf("job.missed")]).toEqual([]);
  await Promise.all([a, b].map(({ scheduler }) => scheduler.stop(SECOND)));
});

it("a failure of the node before is not the failure of the next one", async () => {
  const { clock, fleet, a, b } = twoNodes((node) =>
    cron(async () => {
      if (node === "a") throw new Error("only here");
    }),
  );
  a.scheduler.start();
  b.scheduler.start();
  await clock.advance(MINUTE);
  expect(a.status()).toMatchObject({ state: "failing", failures: 1 });
  fleet.lose("job:sweep");
  await clock.advance(MINUTE);
  expect(b.status()).toMatchObject({ state: "ok", failures: 0, node: "b" });
  fleet.lose("job:sweep");
  await clock.advance(0);
  expect(a.status()).toMatchObject({ failures: 0, lastError: null, node: "a" });
  await Promise.all([a, b].map(({ scheduler }) => scheduler.stop(SECOND)));
});

it("a job that is paused on any node runs on none, until it is resumed on any", async () => {
  const running = new Set<string>();
  const { clock, a, b } = twoNodes((node) =>
    stream(async ({ signal }) => {
      running.add(node);
      await untilAborted(signal);
      running.delete(node);
    }),
  );
  a.scheduler.start();
  await clock.advance(0);
  b.scheduler.start();
  await clock.advance(SECOND);
  await b.scheduler.pause("held");
  await clock.advance(SECOND);
  expect(running).toEqual(new Set());
  expect([a.status().state, b.status().state]).toEqual(["paused", "paused"]);
  await a.scheduler.resume("held");
  await clock.advance(SECOND);
  expect(running.size).toBe(1);
  await Promise.all([a, b].map(({ scheduler }) => scheduler.stop(SECOND)));
});

it("a pause that cannot be stored is refused, and changes nothing", async () => {
  const { clock, database, a } = twoNodes(() => stream(({ signal }) => untilAborted(signal)));
  a.scheduler.start();
  await clock.advance(SECOND);
  database.failure = new Error("away");
  await expect(a.scheduler.pause("held")).rejects.toThrow("away");
  expect(a.status().state).not.toBe("paused");
  database.failure = undefined;
  await a.scheduler.stop(SECOND);
});

it("a run that another node has to do is refused with its name", async () => {
  const ranOn: string[] = [];
  const { clock, a, b } = twoNodes((node) => cron(async () => void ranOn.push(node)));
  a.scheduler.start();
  await clock.advance(0);
  b.scheduler.start();
  await clock.advance(SECOND);
  await expect(b.scheduler.run("sweep")).rejects.toThrow("sweep is run by the node a; run it there");
  await a.scheduler.run("sweep");
  expect(ranOn).toEqual(["a"]);
  await Promise.all([a, b].map(({ scheduler }) => scheduler.stop(SECOND)));
});

it("a node that gets the lease while the database is away waits, and runs the job once that is back", async () => {
  const ranOn: string[] = [];
  const clock = createFakeClock(NOON);
  const fleet = createFakeFleet();
  const store = fleet.storeOf("a", createFakeStore());
  let isAway = true;
  const { shared } = store;
  if (!shared) throw new Error("not a fleet");
  const look = async () => {
    if (isAway) throw new StoreError("io", "away");
  };
  const a = createHarness([cron(async () => void ranOn.push("a"))], {
    ...{ clock, store: { ...store, shared: { ...shared, look } } },
  });
  a.scheduler.start();
  await clock.advance(MINUTE);
  expect([ranOn, a.status().state]).toEqual([[], "standby"]);
  isAway = false;
  await clock.advance(MINUTE);
  expect(ranOn).toEqual(["a"]);
  await a.scheduler.stop(SECOND);
});
