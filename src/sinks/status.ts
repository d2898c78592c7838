// A sink as status shows it.

import type { SinkStatus } from "../contract/api/sinks.ts";
import type { Pending } from "../contract/store.ts";
import { quantile, type SinkFigures } from "./figures.ts";
import type { Memory } from "./record.ts";
import type { SinkSettings } from "./settings.ts";

export function statusOf(of: {
  settings: SinkSettings;
  memory: Memory;
  pending: Pending;
  figures: SinkFigures;
  /** By the clock of the machine, as `now`. */
  nextAt: number | undefined;
  now: number;
  isRunning: boolean;
  /** A time of that clock as RFC 3339. */
  wall: (at: number) => string;
}): SinkStatus {
  const { settings, memory, pending, figures, nextAt, now, wall } = of;
  const { name, kind, consumer, types } = settings;
  const { state, pausedBy, wakes, acknowledged, lastWakeAt, lastAcknowledgedAt, lastError } = memory;
  const { delays } = figures;
  return {
    ...{ name, kind, consumer, types },
    state: state.stuckSince === null ? state.phase : "stuck",
    since: wall(state.stuckSince ?? state.since),
    ...{ pausedBy, running: of.isRunning },
    pending: pending.count,
    isMore: pending.isMore,
    oldestPendingAt: pending.oldestAt,
    ...{ wakes, acknowledged },
    eventsPerWake: wakes === 0 ? null : Math.round((acknowledged / wakes) * 100) / 100,
    acknowledgementMs: {
      last: delays.at(-1) ?? null,
      median: quantile(delays, 0.5),
      p99: quantile(delays, 0.99),
    },
    ...{ lastWakeAt, lastAcknowledgedAt },
    nextWakeAt: nextAt === undefined || pausedBy !== null ? null : wall(Math.max(now, nextAt)),
    failing: memory.failedSince !== null,
    lastError,
  };
}
