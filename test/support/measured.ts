// The data directory of a daemon that measured itself for an hour before it starts.

import { systemClock } from "../../src/core/clock.ts";
import { createHistory } from "../../src/history/history.ts";
import type { Figure } from "../../src/history/steps.ts";
import { openStore } from "../../src/store/sqlite/store.ts";

const MINUTES = 60;
const MINUTE = 60_000;

/** @param server the server whose request budget it was */
export async function fillHistory(dataDir: string, server: string): Promise<void> {
  const store = await openStore({ dataDir, clock: systemClock });
  const stop = new AbortController();
  let now = Date.now() - MINUTES * MINUTE;
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      if (now + ms >= Date.now()) stop.abort();
      stop.signal.throwIfAborted();
      now += ms;
    },
  };
  let minute = 0;
  const history = createHistory({ store, clock, measure: async () => figuresOf(minute++, server) });
  await history.run(stop.signal);
  await store.close();
}

/** A quiet shop: waves of messages, now and then a write. */
function figuresOf(minute: number, server: string): Figure[] {
  const wave = (period: number, from: number, to: number) =>
    Math.round(from + ((to - from) * (1 + Math.sin((minute * 2 * Math.PI) / period))) / 2);
  const used = wave(37, 18, 64) + (minute % 5);
  return [
    { kind: "budget.used", of: server, value: used },
    { kind: "budget.left", of: server, value: 100 - used },
    { kind: "delay.median", of: "messages", value: wave(23, 700, 2100), weight: 8 },
    { kind: "delay.median", of: "insights", value: wave(31, 90, 340), weight: 3 },
    { kind: "delay.max", of: "messages", value: wave(23, 1500, 4800) },
    { kind: "wakes", of: "heard", value: minute % 7 === 0 ? 2 : minute % 3 === 0 ? 1 : 0 },
    { kind: "writes", of: "succeeded", value: minute % 6 === 2 ? 2 : minute % 4 === 1 ? 1 : 0 },
    { kind: "writes", of: "rejected", value: minute % 17 === 5 ? 1 : 0 },
    { kind: "log.events", of: "", value: wave(19, 12, 44) },
    { kind: "log.bytes", of: "", value: wave(19, 12, 44) * 1400 },
  ];
}
