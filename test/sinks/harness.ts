// Sinks on a real store and a fake clock, with scripted targets that record their input.

import { pino } from "pino";
import { onTestFinished } from "vitest";
import type { SinkStatus } from "../../src/contract/api/sinks.ts";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Notice } from "../../src/contract/notice-shape.ts";
import type { Store } from "../../src/contract/store.ts";
import { createFigures } from "../../src/sinks/figures.ts";
import type { Outcome, Target } from "../../src/sinks/kind.ts";
import type { SinkSettings } from "../../src/sinks/settings.ts";
import { createSinks } from "../../src/sinks/sinks.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { watchedClock } from "../support/steady-clock.ts";
import { temporaryDirectory } from "../support/store.ts";

export interface Handed {
  sink: string;
  notice: Notice;
  wakeId: string;
  /** By the clock, in ms since the first start. */
  at: number;
}

export const sinkOf = (settings: Partial<SinkSettings> = {}): SinkSettings => ({
  ...{ name: "agent", kind: "exec", types: ["messaging.*"], consumer: settings.name ?? "agent" },
  ...{ debounce: 2000, stuck_after: 600_000, max_wakes_per_hour: 20 },
  ...settings,
});

export const message = (text = "hello"): NewEvent => ({
  type: "messaging.message.received",
  source: "/messaging/sessions/s",
  data: {
    ...{ sessionId: "s", alias: "workshop", messageId: "m", cursor: "c", agentId: "peer", text },
    ...{ verified: false, expiresAt: null },
  },
});

/** An event that no sink of a test wants. */
export const other: NewEvent = {
  type: "service.recovered",
  source: "/test",
  data: { service: "nex", state: "ok" },
};

type TargetOf = (settings: SinkSettings) => Target;

/** One machine with one data directory. `start` and `kill` may be called again and again. */
export function createScene(options: { clock?: FakeClock; targetOf?: TargetOf } = {}) {
  const clock = options.clock ?? createFakeClock();
  const steady = watchedClock(clock);
  const startedAt = clock.uptime();
  const directory = temporaryDirectory();
  const handed: Handed[] = [];
  const logged: { msg: string; level: number; [key: string]: unknown }[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => logged.push(JSON.parse(line)) });
  /** The answer to a wake; by default immediate. */
  let answer = async (_handed: Handed, _signal: AbortSignal): Promise<Outcome> => ({ kind: "heard" });
  const targetOf: TargetOf =
    options.targetOf ??
    (({ name }) => ({
      hand: (notice, { signal, wakeId }) => {
        const one = { sink: name, notice, wakeId, at: clock.uptime() - startedAt };
        handed.push(one);
        return answer(one, signal);
      },
    }));

  let store: Store | undefined;
  let sinks: ReturnType<typeof createSinks> | undefined;
  let figures = createFigures();
  const open = () => {
    if (!store || !sinks) throw new Error("the scene has not started");
    return { store, sinks };
  };
  const configure = (settings: SinkSettings[]) =>
    open().sinks.configure({ sinks: settings, secrets: () => ({}) });

  const scene = {
    ...{ clock, handed, logged, directory, configure },
    get store() {
      return open().store;
    },
    get sinks() {
      return open().sinks;
    },
    get figures() {
      return figures;
    },
    answerWith(next: typeof answer) {
      answer = next;
    },
    async start(...settings: SinkSettings[]) {
      store = await openStore({ dataDir: directory, clock });
      figures = createFigures();
      sinks = createSinks(
        {
          ...{ store, clock, steady, random: Math.random, log, figures, version: "0.0.0" },
          agentSocket: "/nowhere/agent.sock",
          http: () => {
            throw new Error("not here");
          },
        },
        async (of) => targetOf(of),
      );
      await configure(settings);
      await clock.settle();
      return scene;
    },
    /** Like a SIGKILL: no one is notified, and everything in memory is gone. */
    async kill() {
      await open().store.close();
      store = undefined;
      sinks = undefined;
    },
    append: async (...events: NewEvent[]) => {
      const committed = await open().store.commitObservation({ source: "test", events });
      await clock.settle();
      return committed.latest;
    },
    acknowledge: async (sequence: number, consumer = "agent") => {
      await open().store.ackConsumer(consumer, sequence);
      await clock.settle();
    },
    status: async (name = "agent"): Promise<SinkStatus> => {
      const found = (await open().sinks.list()).find((sink) => sink.name === name);
      if (!found) throw new Error(`there is no sink ${name}`);
      return found;
    },
    /** The types of the events about sinks, in order, with the state that they recovered from. */
    troubles: async () => {
      const { events } = await open().store.readEvents({ after: 0, limit: 1000, types: ["sink.*"] });
      return events.map(({ json }) => {
        const { type, data } = JSON.parse(json);
        return `${type.replace("nexusd.sink.", "")}${data.from ? ` from ${data.from}` : ""}`;
      });
    },
  };
  onTestFinished(async () => {
    await sinks?.stop(1000).catch(() => {});
    await store?.close();
  });
  return scene;
}
