import { describe, expect, it, onTestFinished } from "vitest";
import nexInsights from "../../jobs/nex-insights.ts";
import { type NexOptions, startNex } from "../../sandbox/nex.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { type JobHarness, runJob } from "./harness.ts";

const MINUTE = 60_000;

async function watch(options: Partial<NexOptions> = {}) {
  const clock = createFakeClock(Date.now());
  const nex = await startNex({
    ...{ apiKey: "sk-test", keepaliveMs: 10, clock: { now: clock.now, advance: () => {} } },
    ...options,
  });
  onTestFinished(nex.close);
  const start = async () =>
    await runJob(
      nexInsights,
      `[nex]\nbase_url = "${nex.url}"\napi_key = { source = "env", id = "X" }\n[nexus]\nenabled = false\n`,
      { clock },
    );
  const polls = () => nex.requests.filter(({ path }) => path.includes("/insights?"));
  return { nex, start, polls };
}

const contents = async (job: JobHarness) =>
  (await job.events("nex.insight.received")).map(({ data }) => data.insight.content);
const isLive = (job: JobHarness) => () => job.services.nex.status.state === "live";
const some = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ type: "risk", content: `insight ${from + n}` }));
const texts = (from: number, count: number) => some(from, count).map(({ content }) => content);

describe("the insight stream", () => {
  it("stores the replay of the first connection as replay, and later insights as live", async () => {
    const { nex, start } = await watch();
    nex.emit(some(0, 3));
    const job = await start();
    await job.advanceUntil(isLive(job), "live", { stepMs: 100 });
    nex.emit(some(3, 2));
    await job.advanceUntil(async () => (await contents(job)).length === 5, "five insights", { stepMs: 100 });
    const origins = (await job.events("nex.insight.received")).map(({ data }) => data.origin);
    expect(origins).toEqual(["replay", "replay", "replay", "live", "live"]);
    expect(await contents(job)).toEqual(texts(0, 5));
  });

  it.each(["batch", "single"] as const)(
    "closes a gap larger than the replay, in order and once (%s replay)",
    async (replayStyle) => {
      const { nex, start } = await watch({ replayStyle });
      const job = await start();
      await job.advanceUntil(isLive(job), "live", { stepMs: 100 });
      nex.emit(some(0, 5));
      await job.advanceUntil(async () => (await contents(job)).length === 5, "five insights", {
        stepMs: 100,
      });
      nex.addFault({ kind: "status", match: "/stream", status: 503, times: 2 });
      nex.cutStreams();
      // More than one REST answer holds, even for each second: the window must be split.
      for (let n = 5; n < 255; n += 25) {
        nex.emit(some(n, 25), { live: false });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await job.advanceUntil(async () => (await contents(job)).length >= 105, "the gap closed");
      await job.advance(MINUTE);
      const seen = await contents(job);
      const gaps = await job.events("nex.stream.gap");
      expect(new Set(seen).size).toBe(seen.length);
      // All 250 fell into one or two seconds, of which Nex returns 100 each: the missing ones are reported.
      expect(seen.length === 255 || gaps.length > 0).toBe(true);
      expect(nex.maxConcurrentStreams()).toBe(1);
    },
  );

  it("treats 90 s of silence as dead, and keepalives as alive", async () => {
    const { nex, start } = await watch();
    const job = await start();
    await job.advanceUntil(isLive(job), "live", { stepMs: 100 });
    await job.advance(5 * MINUTE, 5000);
    expect(await job.events("nex.stream.lost")).toEqual([]);
    nex.addFault({ kind: "slow-body", match: "/stream" });
    const asked = () => nex.requests.filter(({ path }) => path.includes("/stream")).length;
    const askedBefore = asked();
    nex.cutStreams();
    const { status } = job.services.nex;
    await job.advanceUntil(() => status.failures === 1, "the cut");
    await job.advanceUntil(() => asked() > askedBefore, "a stream that will be silent", { stepMs: 100 });
    const silentFrom = job.clock.now();
    // It has not started: nothing of it can be read.
    expect(status.state).toBe("recovering");
    await job.advanceUntil(() => status.failures === 2, "the silence noticed");
    expect(job.clock.now() - silentFrom).toBeGreaterThanOrEqual(88_000);
    expect(job.clock.now() - silentFrom).toBeLessThanOrEqual(92_000);
    await job.advanceUntil(isLive(job), "live again");
    expect(nex.maxConcurrentStreams()).toBe(1);
  });
});

describe("the fallback", () => {
  it("polls at most once a minute while the stream fails, loses nothing, and returns to live", async () => {
    const { nex, start, polls } = await watch();
    const job = await start();
    await job.advanceUntil(isLive(job), "live", { stepMs: 100 });
    nex.addFault({ kind: "status", match: "/stream", status: 500, times: -1 });
    nex.cutStreams();
    await job.advanceUntil(
      async () => (await job.events("nex.stream.fallback")).length === 1,
      "the fallback",
    );
    expect(job.services.nex.status.state).toBe("polling");
    expect(job.job().state).toBe("degraded");
    const before = polls().length;
    nex.emit(some(0, 7));
    await job.advanceUntil(async () => (await contents(job)).length === 7, "insights by REST");
    await job.advance(20 * MINUTE, 5000);
    expect(polls().length - before).toBeLessThanOrEqual(23);
    expect(polls().length - before).toBeGreaterThanOrEqual(10);
    expect((await job.events("nex.insight.received")).map(({ data }) => data.origin)).toEqual(
      Array(7).fill("backfill"),
    );

    nex.clearFaults();
    await job.advanceUntil(isLive(job), "live again");
    nex.emit(some(7, 2));
    await job.advanceUntil(async () => (await contents(job)).length === 9, "insights by stream");
    expect(await contents(job)).toEqual(texts(0, 9));
    // It must live for a while first.
    expect(job.job().state).toBe("degraded");
    await job.advanceUntil(() => job.job().state === "ok", "ok again");
    expect(await job.events("nex.stream.lost")).toHaveLength(1);
  });

  it("a window refused by REST stays open and is closed later", async () => {
    const { nex, start } = await watch({ replaySize: 0 });
    const job = await start();
    await job.advanceUntil(isLive(job), "live", { stepMs: 100 });
    nex.addFault({ kind: "status", match: "/insights?", status: 404, times: 2 });
    nex.addFault({ kind: "status", match: "/stream", status: 503 });
    nex.cutStreams();
    nex.emit(some(0, 3), { live: false });
    await job.advanceUntil(() => job.log().includes("cannot be fetched yet"), "the refusal");
    expect(job.job().state).toBe("degraded");
    await job.advanceUntil(async () => (await contents(job)).length === 3, "the window closed");
    await job.advanceUntil(() => job.job().state === "ok", "ok again");
  });

  it.each([
    [401, "nex_key_refused"],
    [403, "nex_scope_missing"],
  ])("reports what to do on a %i, and retries slowly", async (status, code) => {
    const { nex, start } = await watch();
    nex.addFault({
      kind: "status",
      match: "/stream",
      status,
      times: -1,
      body: { code: status, message: "no" },
    });
    const job = await start();
    await job.advanceUntil(
      () => job.job().lastError !== null || job.job().state === "degraded",
      "the refusal",
      { stepMs: 100 },
    );
    await job.advance(11 * MINUTE, 5000);
    expect(nex.requests.length).toBeLessThanOrEqual(4);
    expect(await job.events("nex.stream.lost")).toMatchObject([{ data: { code } }]);
    nex.clearFaults();
    await job.advanceUntil(isLive(job), "live when the key is good", { stepMs: 5000 });
  });
});
