// The waits between two attempts of writes, which end early when their service is back.

import type { Service } from "../contract/new-event.ts";
import type { Clock } from "../core/clock.ts";

export interface Pauses {
  /**
   * Resolves after `ms` milliseconds; with `canEndEarly`, as soon as `end` is called for the service. Rejects with the
   * signal's reason.
   */
  wait(service: Service, ms: number, canEndEarly: boolean, signal: AbortSignal): Promise<void>;
  end(service: Service): void;
}

export function createPauses(clock: Pick<Clock, "sleep">): Pauses {
  const open = new Set<{ service: Service; early: AbortController }>();
  return {
    async wait(service, ms, canEndEarly, signal) {
      const early = new AbortController();
      const pause = { service, early };
      if (canEndEarly) open.add(pause);
      try {
        await clock.sleep(ms, AbortSignal.any([early.signal, signal]));
      } catch (error) {
        if (!early.signal.aborted) throw error;
      } finally {
        open.delete(pause);
      }
    },
    end(service) {
      for (const pause of [...open]) if (pause.service === service) pause.early.abort();
    },
  };
}
