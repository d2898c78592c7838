// The notification feed as the daemon follows it: each notification is logged once, over failures and restarts.

import { expect, it, onTestFinished } from "vitest";
import nexNotifications from "../../jobs/nex-notifications.ts";
import { type NexOptions, startNex } from "../../sandbox/nex.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { temporaryDirectory } from "../support/store.ts";
import { type JobHarness, runJob } from "./harness.ts";

const MINUTE = 60_000;

async function follow(options: Partial<NexOptions> = {}, enabled = true) {
  const nex = await startNex({ apiKey: "sk-test", ...options });
  onTestFinished(nex.close);
  const dataDir = temporaryDirectory();
  const start = (clock?: JobHarness["clock"], directory = dataDir) =>
    runJob(
      nexNotifications,
      `[nex]\nbase_url = "${nex.url}"\napi_key = { source = "env", id = "X" }\n[nexus]\nenabled = false\n${
        enabled ? '[jobs.nex-notifications]\nenabled = true\nschedule = "* * * * *"\n' : ""
      }`,
      { dataDir: directory, ...(clock && { clock }) },
    );
  const asked = () => nex.requests.filter(({ path }) => path.includes("/feed"));
  return { nex, start, asked };
}

const ids = async (job: JobHarness) =>
  (await job.events("nex.notification.received")).map(({ data }) => data.notification.id);
const look = async (job: JobHarness) => {
  const { runs, failures } = job.job();
  await job.advanceUntil(() => job.job().runs + job.job().failures > runs + failures, "a look", {
    stepMs: 5000,
  });
};
/** This many, spread evenly over the half minute before the job's current time. */
const some = (job: JobHarness, from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    id: `n${from + n}`,
    sent_at: new Date(
      job.clock.now() - MINUTE / 2 + Math.floor(((n + 1) * MINUTE) / 2 / count),
    ).toISOString(),
  }));
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, n) => `n${from + n}`);

it("requests nothing unless enabled", async () => {
  const { start, asked } = await follow({}, false);
  const job = await start();
  await job.advance(10 * MINUTE, MINUTE);
  expect([job.job().state, asked()]).toEqual(["disabled", []]);
});

it("logs each notification once, complete, over overlapping polls and a restart", async () => {
  const { nex, start, asked } = await follow();
  const first = await start();
  nex.notify([
    { ...some(first, 0, 1)[0], content: { important_items: [{ title: "Renewal" }], entity_changes: [] } },
  ]);
  await look(first);
  nex.notify(some(first, 1, 3));
  await look(first);
  await look(first);
  await first.kill();
  nex.notify(some(first, 4, 2));
  const second = await start(first.clock);
  await look(second);
  await look(second);
  expect(await ids(second)).toEqual(numbers(0, 6));
  expect((await second.events("nex.notification.received"))[0]).toMatchObject({
    source: "/nex/notifications",
    data: { notification: { id: "n0", content: { important_items: [{ title: "Renewal" }] } } },
  });
  expect(asked().every(({ path }) => path.includes("limit=50"))).toBe(true);
  expect(asked().at(-1)?.path).toMatch(/since=\d{4}-/);
});

it("reads a burst of more than a page completely if the feed is oldest first", async () => {
  const { nex, start } = await follow({ feedOrder: "oldest" });
  const job = await start();
  await look(job);
  nex.notify(some(job, 0, 230));
  await look(job);
  expect(await ids(job)).toEqual(numbers(0, 230));
  expect(await job.events("nex.notification.gap")).toEqual([]);
});

it("reports a gap once for what it missed if the feed is newest first", async () => {
  const { nex, start } = await follow({ feedOrder: "newest" });
  const job = await start();
  await look(job);
  await job.advance(50_000, 10_000);
  const burst = some(job, 0, 60);
  nex.notify(burst);
  await look(job);
  await look(job);
  expect(await ids(job)).toEqual(numbers(10, 50));
  const gaps = await job.events("nex.notification.gap");
  expect(gaps).toHaveLength(1);
  expect(gaps[0]?.data).toMatchObject({ to: burst[10]?.sent_at, reason: expect.stringContaining("50") });
  expect(gaps[0]?.data.from <= String(burst[0]?.sent_at)).toBe(true);
});

it("a failure between two pages repeats and loses nothing", async () => {
  const { nex, start, asked } = await follow({ feedOrder: "oldest" });
  const job = await start();
  await look(job);
  nex.notify(some(job, 0, 120));
  nex.addFault({ kind: "status", status: 503, match: "/feed", times: 1 });
  const before = asked().length;
  await job.advanceUntil(() => asked().length > before + 1, "the first page", { stepMs: 1000 });
  nex.addFault({ kind: "drop", match: "/feed", times: 1 });
  await job.advanceUntil(async () => (await ids(job)).length >= 120, "all of them", { stepMs: 1000 });
  await look(job);
  expect(await ids(job)).toEqual(numbers(0, 120));
});

it("a notification from the future does not hide any before that time", async () => {
  const { nex, start } = await follow();
  const job = await start();
  nex.notify([{ id: "n0", sent_at: "2099-01-01T00:00:00Z" }]);
  await look(job);
  nex.notify(some(job, 1, 2));
  await look(job);
  expect(await ids(job)).toEqual(numbers(0, 3));
});

it("a notification that appears hours after it was sent is logged, and a position from the future hides nothing", async () => {
  const { nex, start } = await follow();
  const dataDir = temporaryDirectory();
  const store = await openStore({ dataDir, clock: systemClock });
  await store.commitObservation({
    source: "nex.notifications",
    cursor: { coveredUntil: "2099-01-01T00:00:00.000Z" },
  });
  await store.close();
  const job = await start(undefined, dataDir);
  nex.notify(some(job, 0, 1));
  await look(job);
  for (const [n, lateMs] of [10 * MINUTE, 23 * 60 * MINUTE].entries()) {
    nex.notify([{ id: `n${n + 1}`, sent_at: new Date(Date.now() - lateMs).toISOString() }]);
    await look(job);
  }
  expect(await ids(job)).toEqual(numbers(0, 3));
});

it("a late one among hundreds in a day is logged, for one more request per poll", async () => {
  const { nex, start, asked } = await follow({ feedOrder: "oldest" });
  const job = await start();
  await look(job);
  const day = 23 * 60 * MINUTE;
  nex.notify(
    Array.from({ length: 300 }, (_, n) => ({
      id: `n${n}`,
      sent_at: new Date(Date.now() - day + (n * day) / 300).toISOString(),
    })),
  );
  await job.advanceUntil(async () => (await ids(job)).length === 300, "the day", { stepMs: MINUTE });
  nex.notify([{ id: "late", sent_at: new Date(Date.now() - day / 2 + 1).toISOString() }]);
  for (let round = 0; round < 9; round++) {
    const before = asked().length;
    await look(job);
    expect(asked().length - before).toBeLessThanOrEqual(3);
  }
  expect((await ids(job)).toSorted()).toEqual([...numbers(0, 300), "late"].toSorted());
});

it("names the scope that the key lacks, and keeps its position", async () => {
  const { nex, start } = await follow();
  const job = await start();
  nex.setScopes([]);
  nex.notify(some(job, 0, 1));
  await look(job);
  expect(job.job()).toMatchObject({
    ...{
      state: "failing",
      lastError: { code: "nex_scope_missing", message: expect.stringMatching(/notification\.read/) },
    },
  });
  nex.setScopes(["notification.read"]);
  await job.advanceUntil(async () => (await ids(job)).length === 1, "the one", { stepMs: 5000 });
  nex.addFault({ kind: "status", status: 200, match: "/feed", body: { hello: 1 }, times: 1 });
  await look(job);
  expect(job.job().lastError).toMatchObject({ code: "unexpected_shape" });
});
