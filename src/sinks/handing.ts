// The current wake: there is at most one.

import type { Logger } from "pino";
import type { Notice } from "../contract/notice-shape.ts";
import type { Outcome, Target } from "./kind.ts";

export interface Handing {
  isBusy(): boolean;
  /**
   * Delivers a wake. Call it only if none is in progress.
   * @returns the result, when nothing is in progress any more; undefined: it was aborted before. Never rejects
   */
  hand(notice: Notice, wakeId: string): Promise<Outcome | undefined>;
  /** Resolves when nothing is under way. */
  ended(): Promise<void>;
  /** Ends what is under way. */
  abort(): Promise<void>;
}

const BROKEN = {
  ...{ kind: "refused", code: "internal_error" },
  message: 'the wake failed inside nexusd: log_level = "debug" shows why',
} satisfies Outcome;

export function createHanding(target: Target, log: Logger): Handing {
  let controller = new AbortController();
  let current: Promise<unknown> | undefined;

  const attempt = async (
    notice: Notice,
    wakeId: string,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> => {
    try {
      const outcome = await target.hand(notice, { signal, wakeId });
      return signal.aborted ? undefined : outcome;
    } catch (error) {
      if (signal.aborted) return undefined;
      log.debug({ err: error }, "the target of a sink failed");
      return BROKEN;
    }
  };

  const ended = async () => {
    await current;
  };
  return {
    isBusy: () => current !== undefined,
    hand(notice, wakeId) {
      controller = new AbortController();
      const attempted = attempt(notice, wakeId, controller.signal).finally(() => {
        current = undefined;
      });
      current = attempted;
      return attempted;
    },
    ended,
    async abort() {
      controller.abort(new Error("the sink is stopping"));
      await ended();
    },
  };
}
