// When a server was started, by its `uptime`: a restarted server has lost its messages.

import type { Clock } from "../../../core/clock.ts";
import { HttpError } from "../../../http/errors.ts";

// A start time computed from `uptime` varies by the delay of the answers; a restart changes it by far more.
const TOLERANCE_MS = 5000;

export interface ServerBoot {
  /** In ms since the epoch; null: the server does not say. */
  readonly bootAt: number | null;
  /** When it last said so, by the wall clock; null: never. */
  readonly saidAt: number | null;
  /** When it was last asked, on the monotonic clock; null: never. */
  readonly askedAt: number | null;
  /** Whether a request for it is in progress. */
  readonly isAsking: boolean;
  /** Whether the wall clock was stepped since it was last asked, or the machine was asleep. */
  isClockMoved(): boolean;
  /** Asks for the `uptime` in seconds. */
  ask(uptime: () => Promise<unknown>): Promise<void>;
}

export function createBoot(clock: Pick<Clock, "now" | "monotonic">): ServerBoot {
  let offsetMs = clock.now() - clock.monotonic();
  const boot = {
    ...{ bootAt: null as number | null, saidAt: null as number | null, isAsking: false },
    askedAt: null as number | null,
    isClockMoved: () => Math.abs(clock.now() - clock.monotonic() - offsetMs) > TOLERANCE_MS,
    async ask(ask: () => Promise<unknown>) {
      const askedAt = clock.monotonic();
      boot.askedAt = askedAt;
      offsetMs = clock.now() - askedAt;
      boot.isAsking = true;
      try {
        const uptime = await ask();
        boot.saidAt = clock.now();
        const halfWayMs = (clock.monotonic() - askedAt) / 2;
        const bootAt = typeof uptime === "number" ? boot.saidAt - halfWayMs - uptime * 1000 : null;
        const isSame =
          bootAt !== null &&
          boot.bootAt !== null &&
          Math.abs(bootAt - boot.bootAt) <= TOLERANCE_MS + halfWayMs;
        if (!isSame) boot.bootAt = bootAt;
      } catch (error) {
        if (isAnswer(error)) boot.bootAt = null;
        throw error;
      } finally {
        boot.isAsking = false;
      }
    },
  };
  return boot;
}

/** An answer without an uptime still shows that there is a server. */
export const isAnswer = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  (error.kind === "invalid_body" || (error.kind === "status" && error.status !== 429));

/**
 * Whether the server may have restarted since the cursors of this session were read: its start time differs. An earlier
 * one counts, too, as after a clock correction: the server may have restarted in between.
 */
export const isOtherBoot = (session: { serverBootAt: number | null }, bootAt: number | null): boolean =>
  bootAt !== null && session.serverBootAt !== null && Math.abs(bootAt - session.serverBootAt) > TOLERANCE_MS;
