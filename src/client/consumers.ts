// Consumers: named cursors that the daemon stores.

import type {
  ConsumerDetailView,
  ConsumerPage,
  ConsumerView,
  PlacedConsumer,
} from "../contract/api/consumers.ts";
import type { EventPageView } from "../contract/api/events.ts";
import { isNexusdError, isPassing } from "./error.ts";
import type { LogEvent, NoOwnEvents, OwnEvents, TypePattern } from "./events.ts";
import { patiently, type Time } from "./patience.ts";
import { at, type CallControl, type Requester, waitFor } from "./request.ts";

/** A page of the log: its oldest events after a position. */
export type EventPage<Own extends OwnEvents> = Omit<EventPageView, "events"> & { events: LogEvent<Own>[] };

export interface Placement {
  /** An end of the log, or the last sequence that is already known; default "latest". */
  from?: "oldest" | "latest" | number | string;
  types?: readonly TypePattern[];
}

/** `token`: for a bound consumer; the operators' socket needs none. */
type WithToken = CallControl & { token?: string | undefined };

export interface PendingOptions extends CallControl {
  /** How long to wait, in milliseconds; default: no limit. After it, the consumer is returned as it is. */
  waitMs?: number | undefined;
  /** How long to retry a daemon that has never answered, in milliseconds; default 10,000. */
  patienceMs?: number;
  /** Called when the daemon becomes unavailable, and with undefined when it is back. */
  onAway?: (error: unknown) => void;
}

export interface ProcessOptions extends WithToken {
  /** How many events to read at once; default 100. */
  limit?: number;
  /** Called with the events that retention removed before they were acknowledged. */
  onGap?: (gap: NonNullable<EventPageView["gap"]>) => void;
  /** How long to wait for an unavailable daemon, in milliseconds; default: forever. */
  patienceMs?: number;
}

/** What a handler may return: "stop" ends the processing once its event is acknowledged. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing need not say so
export type Handled = "stop" | void;

export interface Consumers<Own extends OwnEvents> {
  /**
   * Creates a consumer, or resets an existing one. With `bind`, changing a new one requires the `token` that is
   * returned this once.
   * @throws NexusdError `consumer_exists` with `ifAbsent`, which leaves an existing one as it is
   */
  create(
    name: string,
    options?: Placement & WithToken & { bind?: boolean; ifAbsent?: boolean },
  ): Promise<PlacedConsumer>;
  /** Ordered by name, page by page; with `pending`, also what each has pending. */
  list(options?: CallControl & { after?: string; limit?: number; pending?: boolean }): Promise<ConsumerPage>;
  /**
   * Includes what is pending; with `waitMs` (up to 60,000) returns as soon as something is, newer than `after` if
   * given. Undefined: there is none of this name.
   */
  get(
    name: string,
    options?: CallControl & { waitMs?: number; after?: number },
  ): Promise<ConsumerDetailView | undefined>;
  /**
   * Resolves when something is pending, across restarts of the daemon. Undefined: there is none of this name.
   * @throws NexusdError if the daemon refuses, or never answered; the signal's reason
   */
  waitUntilPending(name: string, options?: PendingOptions): Promise<ConsumerDetailView | undefined>;
  /** The oldest unacknowledged events; with `waitMs` (up to 60,000) as soon as there is one. */
  read(name: string, options?: CallControl & { limit?: number; waitMs?: number }): Promise<EventPage<Own>>;
  /** Acknowledges everything up to the sequence; one before the position changes nothing. */
  ack(name: string, sequence: number | string, options?: WithToken): Promise<ConsumerView>;
  delete(name: string, options?: WithToken): Promise<void>;
  /**
   * Calls the handler with each unacknowledged event, in order, one at a time, and acknowledges it when the handler has
   * resolved; continues across restarts of the daemon. After a crash, the current event is delivered again, never
   * skipped. Resolves when the signal aborts, or after an event whose handler returned "stop".
   * @throws what the handler throws: its event stays unacknowledged; NexusdError for a refusal
   */
  process(
    name: string,
    handler: (event: LogEvent<Own>) => Handled | Promise<Handled>,
    options?: ProcessOptions,
  ): Promise<void>;
}

const ROOT = "/v1/consumers";
const LONGEST_WAIT_MS = 60_000;
const PATIENCE_MS = 10_000;
const AGAIN_AFTER_MS = 1000;
// An immediate answer without news comes from a daemon that is about to stop.
const AT_ONCE_MS = 500;

export function createConsumers<Own extends OwnEvents>({ ask, tell }: Requester, time: Time): Consumers<Own> {
  const consumers: Consumers<Own> = {
    create: (name, { from = "latest", types, bind, ifAbsent, ...rest } = {}) =>
      ask("PUT", at(ROOT, name), {
        ...rest,
        ...(ifAbsent && { headers: { "if-none-match": "*" } }),
        body: { from, ...(types && { types }), ...(bind && { bind }) },
      }),

    list: ({ after, limit, pending, ...rest } = {}) =>
      ask("GET", ROOT, { ...rest, query: { limit, after, ...(pending && { pending: "true" }) } }),

    async get(name, { waitMs, after, ...rest } = {}) {
      const { wait, ...timeout } = waitFor(waitMs);
      try {
        return await ask<ConsumerDetailView>("GET", at(ROOT, name), {
          ...{ ...timeout, ...rest, query: { wait, after } },
        });
      } catch (error) {
        if (isNexusdError(error, "consumer_not_found")) return undefined;
        throw error;
      }
    },

    waitUntilPending: (name, options) => untilPending(consumers.get, time, name, options),

    read: (name, { limit, waitMs, ...rest } = {}) => {
      const { wait, ...timeout } = waitFor(waitMs);
      return ask("GET", at(ROOT, name, "/events"), { ...timeout, ...rest, query: { limit, wait } });
    },

    ack: (name, sequence, options = {}) =>
      ask("POST", at(ROOT, name, "/ack"), { ...options, body: { sequence } }),

    delete: (name, options) => tell("DELETE", at(ROOT, name), options),

    async process(name, handler, options = {}) {
      const { limit, onGap, patienceMs = Number.POSITIVE_INFINITY, token, ...control } = options;
      const { signal, ...rest } = control;
      const patience = { ...time, forMs: patienceMs, signal };
      const read = () =>
        consumers.read(name, { ...control, ...(limit && { limit }), waitMs: LONGEST_WAIT_MS });
      try {
        while (!signal?.aborted) {
          const page = await patiently(read, patience);
          if (page.gap) onGap?.(page.gap);
          for (const event of page.events) {
            if (signal?.aborted) return;
            const handled = await handler(event);
            // A handled event is acknowledged even if the signal has aborted meanwhile.
            await patiently(() => consumers.ack(name, event.sequence, { ...rest, token }), patience);
            if (handled === "stop") return;
          }
        }
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    },
  };
  return consumers;
}

async function untilPending(
  get: Consumers<NoOwnEvents>["get"],
  { clock }: Time,
  name: string,
  { waitMs, patienceMs = PATIENCE_MS, onAway, ...control }: PendingOptions = {},
): Promise<ConsumerDetailView | undefined> {
  const begunAt = clock.monotonic();
  const deadline = begunAt + (waitMs ?? Number.POSITIVE_INFINITY);
  let hasAnswered = false;
  let isAway = false;
  for (;;) {
    const startedAt = clock.monotonic();
    const left = Math.max(0, deadline - startedAt);
    let againMs = AGAIN_AFTER_MS;
    try {
      // The first request does not wait, so it returns pending events even if the daemon accepts no more long polls.
      const wait = hasAnswered && !isAway ? Math.ceil(Math.min(LONGEST_WAIT_MS, left)) : 0;
      const found = await get(name, { ...control, waitMs: wait });
      if (isAway) onAway?.(undefined);
      isAway = false;
      hasAnswered = true;
      if (found === undefined || found.pending.count > 0 || clock.monotonic() >= deadline) return found;
      if (wait === 0 || clock.monotonic() - startedAt > AT_ONCE_MS) continue;
    } catch (error) {
      const patience = hasAnswered ? Number.POSITIVE_INFINITY : patienceMs;
      const isOver = control.signal?.aborted || clock.monotonic() >= Math.min(deadline, begunAt + patience);
      if (isOver || !isPassing(error)) throw error;
      if (!isAway) onAway?.(error);
      isAway = true;
      againMs = Math.max(againMs, error.retryAfterMs ?? 0);
    }
    await clock.sleep(againMs, control.signal);
  }
}
