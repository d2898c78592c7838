import { describe, expect, it } from "vitest";
import { type Random, seeded } from "../../bench/traffic.ts";
import type { Weather } from "../support/nex-model.ts";
import { watchModel } from "../support/nex-watch.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Outcome {
  emitted: { content: string; created_at: string }[];
  kept: Set<string>;
  /** "content created_at" of each insight in the log, in order. */
  logged: string[];
  gaps: { from: string; to: string; reason: string }[];
  requests: { path: string; at: number }[];
  mostStreams: number;
  state: string;
  types: string[];
}

const keyOf = ({ content, created_at }: { content: string; created_at: string }) =>
  `${content} ${created_at}`;

/** An hour of everything that can go wrong, and some minutes without trouble. */
async function live(
  seed: number,
  { burst, ...options }: { retention: number; isReplayVague: boolean; burst: number },
): Promise<Outcome> {
  const random = seeded(seed);
  const weather = storm(random);
  const { clock, model, status, events, stop } = await watchModel({ random, weather, ...options });

  let made = 0;
  const some = (count: number) =>
    Array.from({ length: count }, () => ({ type: "risk", content: `insight ${made++}` }));
  await clock.advance(10_000);
  model.emit(some(3));
  const end = clock.monotonic() + HOUR;
  while (clock.monotonic() < end) {
    const chance = random();
    if (chance < 0.5) model.emit(some(1 + Math.floor(random() * 4)));
    // The same words at another time are another insight, unless a replay does not tell the time.
    else if (chance < 0.6 && !options.isReplayVague)
      model.emit([{ type: "risk", content: "the same words" }]);
    else if (chance < 0.63) model.emit(some(burst));
    else if (chance < 0.66) clock.jump((random() - 0.5) * 20 * MINUTE);
    else if (chance < 0.68) model.sleep(random() * 20 * MINUTE);
    else if (chance < 0.75) weather.change();
    else
      for (let n = 0; n < 40; n++) {
        model.emit(some(1));
        await clock.advance(random() * 1000);
      }
    await clock.advance(random() * 30_000);
  }
  weather.clear();
  await clock.advance(15 * MINUTE);
  await stop();
  const all = await events();
  // An insight that REST did not deliver in time is in the log as the replay delivered it.
  const timed = new Map(
    options.isReplayVague ? model.emitted.map((insight) => [insight.content, insight]) : [],
  );
  return {
    state: status.state,
    emitted: model.emitted,
    kept: new Set(model.kept().map(keyOf)),
    logged: all
      .filter(({ type }) => type.endsWith("insight.received"))
      .map(({ data }) => keyOf(timed.get(data.insight.content) ?? data.insight)),
    gaps: all.filter(({ type }) => type.endsWith("stream.gap")).map(({ data }) => data),
    types: all.map(({ type }) => type),
    requests: model.requests,
    mostStreams: model.mostStreams(),
  };
}

/** Changing weather; each kind of trouble lasts until the next change. */
function storm(random: Random): Weather & { change(): void; clear(): void } {
  const calm = { latencyMs: 50, stream: 0, list: 0, cut: 0, stall: 0, copies: 0 };
  let now = calm;
  const happens = (share: number) => random() < share;
  const fault = () => {
    const kinds = [500, 502, 503, "network", "network"] as const;
    return kinds[Math.floor(random() * kinds.length)];
  };
  return {
    change() {
      now = {
        latencyMs: [50, 5000, 70_000, 150_000][Math.floor(random() * 4)] ?? 50,
        stream: happens(0.4) ? random() : 0,
        list: happens(0.4) ? random() : 0,
        cut: happens(0.5) ? random() : 0,
        stall: happens(0.3) ? random() * 0.3 : 0,
        copies: happens(0.3) ? 0.5 : 0,
      };
    },
    clear() {
      now = calm;
    },
    latencyMs: () => random() * now.latencyMs,
    streamFault: () => (happens(now.stream) ? (happens(0.2) ? "json" : fault()) : undefined),
    listFault: () => (happens(now.list) ? fault() : undefined),
    bytesUntilCut: () => (happens(now.cut) ? Math.floor(random() * 20_000) : Number.POSITIVE_INFINITY),
    stallMs: () => (happens(now.stall) ? random() * 120_000 : 0),
    copies: () => (happens(now.copies) ? 2 : 1),
  };
}

const within = ({ gaps }: Outcome, { created_at }: { created_at: string }) =>
  gaps.some(({ from, to }) => from <= created_at && created_at <= to);

/** Never twice, never an insight that Nex did not send, never more than one connection or poll. */
function expectOrder(outcome: Outcome): void {
  const { logged, emitted, mostStreams, state, requests } = outcome;
  expect(state).toBe("live");
  expect(mostStreams).toBe(1);
  expect(new Set(logged).size).toBe(logged.length);
  const known = new Set(emitted.map(keyOf));
  expect(logged.filter((key) => !known.has(key))).toEqual([]);
  // A poll is one window; its parts come one after the other.
  const windows = requests.filter(({ path }) => path.includes("/insights?")).length;
  expect(windows).toBeGreaterThan(0);
}

describe("an hour of cuts, stalls, errors, bursts, repetitions and clock jumps", () => {
  it.each([1, 2, 3])(
    "leaves each insight in the log once, and no gap, as long as Nex keeps them (seed %i)",
    async (seed) => {
      const outcome = await live(seed, { retention: 1e6, isReplayVague: seed % 2 === 0, burst: 90 });
      expectOrder(outcome);
      const logged = new Set(outcome.logged);
      expect(outcome.emitted.map(keyOf).filter((key) => !logged.has(key))).toEqual([]);
      expect(outcome.gaps).toEqual([]);
    },
  );

  it.each([4, 5, 6, 7])(
    "reports a gap for what Nex does not keep or does not return (seed %i)",
    async (seed) => {
      const outcome = await live(seed, { retention: 150, isReplayVague: seed % 2 === 0, burst: 130 });
      expectOrder(outcome);
      const logged = new Set(outcome.logged);
      const lost = outcome.emitted.filter((insight) => !logged.has(keyOf(insight)));
      expect(lost.filter((insight) => !within(outcome, insight))).toEqual([]);
      expect(outcome.gaps.length).toBeGreaterThan(0);
    },
  );

  it("is the same for the same seed", async () => {
    const options = { retention: 150, isReplayVague: false, burst: 130 };
    expect(await live(8, options)).toEqual(await live(8, options));
  });
});
