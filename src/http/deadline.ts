// One deadline for a whole exchange, joined with the caller's signal, on the clock that is passed in.

import type { Clock } from "../scheduler/clock.ts";
import type { HttpError } from "./errors.ts";

export interface Deadline {
  /** Aborts with the HttpError of what came first: the end of the time, or the caller's signal. */
  readonly signal: AbortSignal;
  /** Counts the whole time again, from now. */
  restart(): void;
  /** Time no longer counts; the caller's signal still does. */
  lift(): void;
  /** Neither counts any longer; nothing is left behind on the clock or the caller's signal. */
  end(): void;
  /** What `work` gives, or a rejection as soon as the signal aborts, whatever `work` is waiting for. */
  race<T>(work: Promise<T>): Promise<T>;
}

// Nobody sees it; without a reason of our own each abort would make an error, with a stack, to say that it was one.
const LIFTED = new Error("the time no longer counts");

/** @param failure makes the error at the moment it is needed, since only then is it known what was sent */
export function startDeadline(options: {
  clock: Clock;
  timeoutMs: number;
  signal: AbortSignal | undefined;
  failure: (kind: "timeout" | "aborted") => HttpError;
}): Deadline {
  const { clock, timeoutMs, signal: caller, failure } = options;
  const controller = new AbortController();
  let timer: AbortController | undefined;

  const onCallerAbort = () => controller.abort(failure("aborted"));
  const lift = () => timer?.abort(LIFTED);
  const restart = () => {
    lift();
    timer = new AbortController();
    clock.sleep(timeoutMs, timer.signal).then(
      () => controller.abort(failure("timeout")),
      () => {},
    );
  };

  const aborted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener("abort", () => reject(controller.signal.reason), { once: true });
  });
  aborted.catch(() => {});

  if (caller?.aborted) onCallerAbort();
  else caller?.addEventListener("abort", onCallerAbort, { once: true });
  restart();

  return {
    signal: controller.signal,
    restart,
    lift,
    end() {
      lift();
      caller?.removeEventListener("abort", onCallerAbort);
    },
    race: (work) => Promise.race([work, aborted]),
  };
}
