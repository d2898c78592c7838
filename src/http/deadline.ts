// One deadline for a whole exchange, joined with the caller's signal, on the clock that is passed in.

import type { Clock } from "../scheduler/clock.ts";
import type { HttpError } from "./errors.ts";

export interface Deadline {
  /** Aborts with the HttpError of what came first: the end of the time, or the caller's signal. */
  readonly signal: AbortSignal;
  /** Told of that error, at once where it has come already. A later listener takes the place of an earlier one. */
  onGivenUp(listener: (error: HttpError) => void): void;
  /** Counts the whole time again, from now. */
  restart(): void;
  /** Time no longer counts; the caller's signal still does. */
  lift(): void;
  /** Neither counts any longer; nothing is left behind on the clock or the caller's signal. */
  end(): void;
  /** What `work` gives, or a rejection as soon as the signal aborts, whatever `work` is waiting for. */
  race<T>(work: Promise<T>): Promise<T>;
}

/** @param failure makes the error at the moment it is needed, since only then is it known what was sent */
export function startDeadline(options: {
  clock: Clock;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  failure: (kind: "timeout" | "aborted") => HttpError;
}): Deadline {
  const { clock, timeoutMs, signal: caller, failure } = options;
  let givenUp: HttpError | undefined;
  let tell: ((error: HttpError) => void) | undefined;
  // Made when it is asked for, which most exchanges never do.
  let controller: AbortController | undefined;
  let dueAt = 0;
  let cancel: (() => void) | undefined;

  const giveUp = (kind: "timeout" | "aborted") => {
    if (givenUp) return;
    givenUp = failure(kind);
    controller?.abort(givenUp);
    tell?.(givenUp);
  };
  const onCallerAbort = () => giveUp("aborted");
  const ring = () => {
    const left = dueAt - clock.monotonic();
    cancel = left > 0 ? clock.after(left, ring) : undefined;
    if (left <= 0) giveUp("timeout");
  };
  const signal = () => {
    if (!controller) {
      controller = new AbortController();
      if (givenUp) controller.abort(givenUp);
    }
    return controller.signal;
  };
  const lift = () => {
    cancel?.();
    cancel = undefined;
  };
  const restart = () => {
    dueAt = clock.monotonic() + timeoutMs;
    // A timer that rings too early is set again then, which costs less than another one now.
    cancel ??= clock.after(timeoutMs, ring);
  };

  if (caller?.aborted) onCallerAbort();
  else caller?.addEventListener("abort", onCallerAbort, { once: true });
  restart();

  return {
    get signal() {
      return signal();
    },
    onGivenUp(listener) {
      tell = listener;
      if (givenUp) listener(givenUp);
    },
    restart,
    lift,
    end() {
      lift();
      caller?.removeEventListener("abort", onCallerAbort);
    },
    race: (work) =>
      new Promise((resolve, reject) => {
        const { aborted, reason } = signal();
        if (aborted) reject(reason);
        else signal().addEventListener("abort", () => reject(signal().reason), { once: true });
        work.then(resolve, reject);
      }),
  };
}
