// doctor: the sinks: whether their targets exist and, if a daemon is running, whether their events are read.

import type { SinkStatus } from "../../contract/api/sinks.ts";
import { kindNamed, type SinkSettings } from "../../sinks/settings.ts";
import { describeError } from "../jobs.ts";
import { age } from "../terminal/output.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

/** The running daemon's view of its sinks. */
export function examineSinks(sinks: SinkStatus[]): Check[] {
  if (sinks.length === 0) return [];
  const checks = sinks.flatMap(({ name, consumer, ...sink }): Check[] => {
    const resume = `nexusctl sinks resume ${name}`;
    if (sink.pausedBy === "target") {
      const detail = `${name}: its target refused permanently: ${describeError(sink.lastError)}`;
      return [fail("sinks", detail, `Fix it, then: ${resume}`)];
    }
    if (sink.pausedBy !== null) return [warn("sinks", `${name}: paused by an operator`, resume)];
    const failing = sink.failing
      ? [
          fail(
            "sinks",
            `${name}: refuses wakes: ${describeError(sink.lastError)}`,
            `Try it: nexusctl sinks test ${name}`,
          ),
        ]
      : [];
    const stuck =
      sink.state === "stuck"
        ? [
            fail(
              "sinks",
              `${name}: nothing was acknowledged since ${age(sink.oldestPendingAt)}, with ${sink.pending} pending`,
              `Check whether the reader of "${consumer}" is running, and acknowledges what it has handled.`,
            ),
          ]
        : [];
    return [...failing, ...stuck];
  });
  return checks.length > 0 ? checks : [ok("sinks", `${sinks.length}, none of them stuck, failing or paused`)];
}

/** What can be checked about their targets without waking them. */
export async function examineTargets(sinks: readonly SinkSettings[]): Promise<Check[]> {
  const found = await Promise.all(
    sinks.map(async (settings) => ({
      name: settings.name,
      trouble: await kindNamed(settings.kind).examine?.(settings),
    })),
  );
  return found.flatMap(({ name, trouble }) =>
    trouble ? [fail("sinks", `${name}: ${trouble.detail}`, trouble.remedy)] : [],
  );
}
