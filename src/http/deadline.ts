// One deadline for a whole exchange, joined with the caller's signal, on the clock that is passed in.
//
// Each request has one, and at thousands a second their cost counts: a timer is set once and looks again when it
// rings early, a signal is made only for whoever asks for it, and all that wait for the same caller share a listener.

import type { Clock } from "../scheduler/clock.ts";
import type { HttpError } from "./errors.ts";

export interface Deadline {
  /** Aborts with the HttpError of what came first: the end of the time, or the caller's signal. */
  readonly signal: AbortSignal;
  /** What it would abort with, where it has. */
  readonly error: HttpError | undefined;
  /** The same without a signal: calls back with the error, at once where it has come. @returns the end of it */
  onFailure(callback: (error: HttpError) => void): () => void;
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
  const callbacks: ((error: HttpError) => void)[] = [];
  let error: HttpError | undefined;
  let controller: AbortController | undefined;
  let dueAt = clock.monotonic() + timeoutMs;

  const fail = (kind: "timeout" | "aborted") => {
    if (error) return;
    error = failure(kind);
    lift();
    for (const callback of callbacks.splice(0)) callback(error);
  };
  const ring = () => {
    const leftMs = dueAt - clock.monotonic();
    cancel = leftMs > 0 ? clock.after(leftMs, ring) : clock.after(0, expire);
  };
  // A turn of the event loop later: where the process was busy or stopped, the answer may be there already, unread.
  const expire = () => {
    if (dueAt > clock.monotonic()) ring();
    else fail("timeout");
  };
  let cancel = clock.after(timeoutMs, ring);
  const lift = () => cancel();

  const onFailure = (callback: (error: HttpError) => void) => {
    if (error) callback(error);
    else callbacks.push(callback);
    return () => {
      const at = callbacks.indexOf(callback);
      if (at >= 0) callbacks.splice(at, 1);
    };
  };

  const forget = caller && whenAborted(caller, () => fail("aborted"));

  return {
    get signal() {
      if (!controller) {
        const made = new AbortController();
        controller = made;
        onFailure((reason) => made.abort(reason));
      }
      return controller.signal;
    },
    get error() {
      return error;
    },
    onFailure,
    restart() {
      if (!error) dueAt = clock.monotonic() + timeoutMs;
    },
    lift,
    end() {
      lift();
      forget?.();
    },
    race: (work) =>
      new Promise((resolve, reject) => {
        const off = onFailure(reject);
        work.then(resolve, reject).then(off);
      }),
  };
}

interface Listener {
  callbacks: Set<() => void>;
  onAbort: () => void;
}
const listeners = new WeakMap<AbortSignal, Listener>();

/** Calls back when the signal aborts, at once where it has. All callbacks share one listener, which leaves with the last. */
function whenAborted(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => {};
  }
  const { callbacks, onAbort } = listeners.get(signal) ?? listenTo(signal);
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    listeners.delete(signal);
    signal.removeEventListener("abort", onAbort);
  };
}

function listenTo(signal: AbortSignal): Listener {
  const callbacks = new Set<() => void>();
  const onAbort = () => {
    listeners.delete(signal);
    for (const callback of callbacks) callback();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  const listener = { callbacks, onAbort };
  listeners.set(signal, listener);
  return listener;
}
