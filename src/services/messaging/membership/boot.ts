// When a server was started, as far as its `uptime` says: one that was restarted has forgotten its messages.

import type { Clock } from "../../../core/clock.ts";
import { HttpError } from "../../../http/errors.ts";

// A start computed from `uptime` wanders by the delay of the answers; a restart moves it by far more.
const TOLERANCE_MS = 5000;

export interface ServerBoot {
  /** In ms since the epoch; null: it does not say. */
  readonly bootAt: number | null;
  /** When it last said so, by the wall's clock; null: never. */
  readonly saidAt: number | null;
  /** When it was last asked, on the monotonic clock; null: never. */
  readonly askedAt: number | null;
  /** Whether an answer is under way. */
  readonly isAsking: boolean;
  /** Whether the wall's clock was moved since it was last asked, or the machine was asleep. */
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

/** An answer that says nothing of the health, but that there is a server. */
export const isAnswer = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  (error.kind === "invalid_body" || (error.kind === "status" && error.status !== 429));

/**
 * Whether the server may have been restarted since the cursors of this session were read: its start is another one.
 * Also an earlier one, which a clock that was put right makes of it: by then it may have been restarted as well.
 */
export const isOtherBoot = (session: { serverBootAt: number | null }, bootAt: number | null): boolean =>
  bootAt !== null && session.serverBootAt !== null && Math.abs(bootAt - session.serverBootAt) > TOLERANCE_MS;
