// Reports trouble of a sink: events, and log lines. Each trouble is reported once, until it is over.

import type { Logger } from "pino";
import type { NewEvent } from "../contract/new-event.ts";
import type { Outcome } from "./kind.ts";
import type { Memory } from "./record.ts";
import type { SinkSettings } from "./settings.ts";

export interface Troubles {
  /** Takes notice of how a wake ended: what the target refuses, and that it takes wakes again. @param at RFC 3339 */
  ofOutcome(memory: Memory, outcome: Outcome, at: string): NewEvent[];
  isStuck(of: { since: string; pending: number; wakes: number }): NewEvent[];
  isStuckNoMore(since: string): NewEvent[];
}

export function createTroubles({ name, consumer }: SinkSettings, log: Logger): Troubles {
  const about = { source: `/sinks/${name}`, subject: name };
  return {
    ofOutcome(memory, outcome, at) {
      if (outcome.kind !== "refused") {
        const since = memory.failedSince;
        memory.failedSince = null;
        if (since === null) return [];
        log.info("the target takes wakes again");
        return [{ ...about, type: "sink.recovered", data: { sink: name, from: "failed", since } }];
      }
      const { code, message, isFinal = false } = outcome;
      const isNews = memory.failedSince === null || isFinal;
      memory.lastError = { code, message, at };
      memory.failedSince ??= at;
      if (isFinal) memory.pausedBy = "target";
      if (!isNews) return [];
      const what = isFinal
        ? "the target refuses permanently, so the sink is paused"
        : "the target refuses a wake";
      log.warn({ code }, `${what}: ${message}`);
      return [{ ...about, type: "sink.failed", data: { sink: name, code, message, isFinal } }];
    },
    isStuck({ since, pending, wakes }) {
      log.warn(
        { consumer, pending, wakes, since },
        `the sink is stuck: nobody acknowledges what "${consumer}" has pending; see whether its reader runs`,
      );
      return [{ ...about, type: "sink.stuck", data: { sink: name, consumer, since, pending, wakes } }];
    },
    isStuckNoMore(since) {
      log.info({ since }, "the sink is not stuck any more");
      return [{ ...about, type: "sink.recovered", data: { sink: name, from: "stuck", since } }];
    },
  };
}
