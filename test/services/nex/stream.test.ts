import { describe, expect, it } from "vitest";
import { seeded } from "../../../bench/traffic.ts";
import type { Weather } from "../../support/nex-model.ts";
import { CALM, type Watched, watchModel } from "../../support/nex-watch.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A live watch, and the weather that a test changes. */
async function watch(options: { isReplayVague?: boolean; retention?: number; mostBytes?: number } = {}) {
  const weather: Weather = { ...CALM };
  const watched = await watchModel({ random: seeded(1), weather, ...options });
  await watched.clock.advance(2 * MINUTE);
  expect(watched.status.state).toBe("live");
  let made = 0;
  return {
    ...watched,
    weather,
    emit: (count = 1) =>
      watched.model.emit(
        Array.from({ length: count }, () => ({ type: "risk", content: `insight ${made++}` })),
      ),
    /** Whatever the stream does from now on, the open one is cut. */
    async cut() {
      watched.model.cut();
      await watched.clock.settle();
    },
  };
}

/** The shortest time between two polls that are not parts of one. */
const gapsBetween = (times: number[]) => times.slice(1).map((at, n) => at - (times[n] ?? 0));
const contentsOf = ({ model }: Watched) => model.emitted.map(({ content }) => content);

describe("an insight that is too large", () => {
  it("is reported as a gap that says so, once, and those around it arrive", async () => {
    const watched = await watch({ mostBytes: 64 * 1024 });
    const { clock, model, emit, events, contents } = watched;
    emit();
    await clock.advance(1000);
    model.emit([
      { type: "risk", content: "größe".repeat(12_000) },
      { type: "risk", content: "beside it" },
    ]);
    await clock.advance(1000);
    emit();
    await clock.advance(1000);
    // Replayed, and fetched by REST.
    await watched.cut();
    await clock.advance(10 * MINUTE);
    expect(await contents()).toEqual(["insight 0", "beside it", "insight 1"]);
    const gaps = await events("nex.stream.gap");
    expect(gaps).toHaveLength(1);
    const { from, to, reason } = gaps[0]?.data ?? {};
    expect(from).toBe(model.emitted[1]?.created_at);
    expect(Date.parse(to)).toBe(Date.parse(from) + 1);
    expect(reason).toMatch(/an insight of \d+ KiB, more than limits.insight_bytes allows \(64 KiB\)/);
    expect(watched.degraded()).toBeUndefined();
  });

  it("makes its whole second a gap, and later insights arrive", async () => {
    const watched = await watch();
    const { clock, weather, model, emit, events, contents } = watched;
    weather.streamFault = () => 500;
    await watched.cut();
    emit();
    await clock.advance(5000);
    const many = { type: "risk", content: Array.from({ length: 100_000 }, (_, n) => n) };
    // More values than an answer may have; each by itself is not too large.
    model.emit([many, many, many] as unknown as Parameters<typeof model.emit>[0]);
    await clock.advance(5000);
    emit();
    await clock.advance(10 * MINUTE);
    expect(await contents()).toEqual(["insight 0", "insight 1"]);
    const at = Date.parse(model.emitted[1]?.created_at ?? "");
    const gaps = await events("nex.stream.gap");
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.some(({ data }) => Date.parse(data.from) <= at && Date.parse(data.to) >= at)).toBe(true);
    for (const { data } of gaps) expect(data.reason).toContain("JSON of more than 250000 values");
    Object.assign(weather, CALM);
    await clock.advance(12 * MINUTE);
    expect(watched.status.state).toBe("live");
  });
});

describe("a stream that fails for hours", () => {
  it.each<[string, Partial<Weather>]>([
    ["a 500", { streamFault: () => 500 }],
    ["no connection", { streamFault: () => "network" }],
    ["a JSON error with status 200", { streamFault: () => "json" }],
    ["a 204", { streamFault: () => 204 }],
    ["no answer", { latencyMs: () => 95_000 }],
    ["a cut in its first bytes", { bytesUntilCut: () => 10 }],
    ["silence", { stallMs: () => 10 * HOUR }],
  ])(
    "with %s makes one attempt at a time, one poll a minute at most, and loses or repeats nothing",
    async (_, fault) => {
      const watched = await watch();
      const { clock, model, weather, emit, polls, events, status, contents } = watched;
      Object.assign(weather, fault);
      await watched.cut();
      for (let passed = 0; passed < 2 * HOUR; passed += 7 * MINUTE) {
        emit(3);
        await clock.advance(7 * MINUTE);
      }
      expect(Math.min(...gapsBetween(polls()))).toBeGreaterThanOrEqual(MINUTE);
      // Each of them came by REST or the replay, while the stream was unavailable.
      expect((await contents()).toSorted()).toEqual(contentsOf(watched).toSorted());
      Object.assign(weather, CALM);
      await clock.advance(12 * MINUTE);
      expect(status.state).toBe("live");
      emit(2);
      await clock.advance(1000);
      expect((await contents()).toSorted()).toEqual(contentsOf(watched).toSorted());
      expect((await events("nex.insight.received")).at(-1)?.data.origin).toBe("live");
      expect(model.mostStreams()).toBe(1);
      expect(await events("nex.stream.gap")).toEqual([]);
      expect(status.isMissing).toBe(false);
    },
  );

  it.each([
    [401, "nex_key_refused"],
    [403, "nex_scope_missing"],
  ])("with a %i says what to do, polls nothing, and retries every five minutes", async (code, name) => {
    const watched = await watch();
    const { clock, model, weather, emit, degraded, status, contents } = watched;
    weather.streamFault = () => code;
    await watched.cut();
    const before = model.requests.length;
    emit(3);
    await clock.advance(2 * HOUR);
    expect(status.state).toBe("refused");
    expect(degraded()).toMatchObject({ code: name });
    expect(model.requests.length - before).toBeLessThanOrEqual(25);
    expect(watched.polls()).toEqual([]);
    Object.assign(weather, CALM);
    await clock.advance(6 * MINUTE);
    expect([status.state, degraded()]).toEqual(["live", undefined]);
    expect(await contents()).toEqual(contentsOf(watched));
  });
});

describe("missed insights", () => {
  it("are fetched when the clock jumps, and after the machine slept", async () => {
    const watched = await watch();
    const { clock, model, polls, weather, emit, contents } = watched;
    clock.jump(-20 * MINUTE);
    await clock.advance(10_000);
    expect(polls()).toHaveLength(1);
    await clock.advance(MINUTE);
    // The connection does not notice that it is dead.
    weather.stallMs = () => 10 * HOUR;
    emit(1);
    model.sleep(8 * HOUR);
    emit(30);
    weather.stallMs = () => 0;
    await clock.advance(20_000);
    expect((await contents()).toSorted()).toEqual(contentsOf(watched).toSorted());
    expect(Date.parse(watched.status.coveredUntil ?? "")).toBeGreaterThan(model.now() - MINUTE);
  });

  it("are fetched if Nex stored them late, with a time before the outage", async () => {
    const watched = await watch();
    const { clock, model, contents } = watched;
    await clock.advance(5 * MINUTE);
    await watched.cut();
    model.emit([{ type: "risk", content: "stored late" }], 3 * MINUTE);
    // So many that the replay does not contain it.
    watched.emit(30);
    await clock.advance(MINUTE);
    expect(await contents()).toContain("stored late");
  });

  it("do not delay new ones, however slow REST is", async () => {
    const watched = await watch();
    const { clock, weather, emit, contents, status } = watched;
    await watched.cut();
    emit(25);
    let asked = 0;
    // The stream comes back at once, REST takes a minute.
    weather.latencyMs = () => (asked++ === 0 ? 50 : MINUTE);
    await clock.advance(3000);
    expect([status.state, status.isMissing]).toEqual(["live", true]);
    emit(1);
    await clock.advance(100);
    expect(await contents()).toContain("insight 25");
    expect(await contents()).not.toContain("insight 0");
    await clock.advance(2 * MINUTE);
    expect((await contents()).toSorted()).toEqual(contentsOf(watched).toSorted());
    expect(status.isMissing).toBe(false);
  });

  it("become a gap if REST refuses them for an hour, up to the moment when the stream was back", async () => {
    const watched = await watch();
    const { clock, weather, emit, events, model, status } = watched;
    weather.listFault = () => 404;
    const lostAt = model.now();
    weather.streamFault = () => 503;
    await watched.cut();
    emit(40);
    await clock.advance(10 * MINUTE);
    weather.streamFault = () => undefined;
    await clock.advance(50 * MINUTE);
    expect(await events("nex.stream.gap")).toEqual([]);
    await clock.advance(30 * MINUTE);
    const gaps = (await events("nex.stream.gap")).map(({ data }) => data);
    expect(gaps).toHaveLength(1);
    expect(Date.parse(gaps[0].from)).toBeLessThan(lostAt);
    expect(Date.parse(gaps[0].to)).toBeGreaterThan(lostAt + 10 * MINUTE);
    expect(Date.parse(gaps[0].to)).toBeLessThan(lostAt + 13 * MINUTE);
    expect(gaps[0].reason).toContain("refuses");
    expect([status.isMissing, watched.degraded()]).toEqual([false, undefined]);
  });

  it("stay open while REST only fails, and are fetched when it works", async () => {
    const watched = await watch();
    const { clock, weather, emit, events, contents, status, degraded } = watched;
    weather.listFault = () => 503;
    await watched.cut();
    emit(40);
    await clock.advance(5 * HOUR);
    expect([status.state, status.isMissing, degraded()?.code]).toEqual(["live", true, "http_503"]);
    weather.listFault = () => undefined;
    await clock.advance(2 * MINUTE);
    expect((await contents()).toSorted()).toEqual(contentsOf(watched).toSorted());
    expect(await events("nex.stream.gap")).toEqual([]);
  });

  it("with the same words are two insights, even if the replay has no times", async () => {
    const watched = await watch({ isReplayVague: true });
    const { clock, model, contents } = watched;
    const same = () => model.emit([{ type: "risk", content: "the same words" }]);
    same();
    await clock.advance(MINUTE);
    for (let n = 0; n < 2; n++) {
      await watched.cut();
      same();
      await clock.advance(2 * MINUTE);
    }
    expect(await contents()).toEqual(Array(3).fill("the same words"));
  });
});
