// Follows the log across restarts of the daemon: each event once, in order, none missed.

import type { IncomingMessage } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { LogGap } from "../contract/api/events.ts";
import { createBackoff } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { isNexusdError, NexusdError } from "./error.ts";
import type { Role, Transport } from "./transport.ts";

export interface FollowOptions {
  transport: Transport;
  /** Which socket; default: the agents'. */
  role?: Role | undefined;
  /** The last sequence that is already known. */
  after: number;
  /** The epoch of the log that `after` belongs to; undefined: the first one that answers. */
  epoch: string | undefined;
  /** Whether to wait for a daemon that is unavailable at the start. */
  waitForDaemon: boolean;
  /** Types or patterns; none: every type. */
  types: readonly string[] | undefined;
  clock: Pick<Clock, "sleep">;
  random: () => number;
  signal: AbortSignal;
}

export type Followed =
  /** `json` is the event exactly as stored. */
  | { kind: "event"; sequence: number; json: string }
  /** Retention removed these before they could be read. */
  | { kind: "gap"; gap: LogGap }
  /** The log was replaced: it is followed from its beginning. */
  | { kind: "replaced"; epoch: string; previous: string }
  /** Several attempts failed; it keeps trying. */
  | { kind: "away"; error: unknown }
  /** Connected again after `away`. */
  | { kind: "back" };

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 2000;
/** Every restart causes one or two failed attempts; more are worth a notice. */
const WORTH_A_WORD = 3;
// The daemon sends a comment every 15 s: three missed ones mean that it no longer does.
const SILENCE_MS = 45_000;
const GAP = "nexusd.log.gap";

/**
 * Ends when the signal aborts. The next item is read only when the previous one has been taken.
 * @throws NexusdError if the daemon refuses; `no_daemon` if there was none at the start, unless it is waited for
 */
export async function* follow(options: FollowOptions): AsyncGenerator<Followed, void, undefined> {
  const { transport, role, clock, signal } = options;
  const position: Position = { after: options.after, epoch: options.epoch };
  const backoff = createBackoff(options.random, FIRST_DELAY_MS, LONGEST_DELAY_MS);
  let everConnected = options.waitForDaemon;
  let failures = 0;

  while (!signal.aborted) {
    try {
      const stream = await transport.stream(`/v1/events/stream?${queryOf(position, options.types)}`, {
        ...{ role, signal },
        headers: { "last-event-id": String(position.after) },
        silenceMs: SILENCE_MS,
      });
      if (failures >= WORTH_A_WORD) yield { kind: "back" };
      everConnected = true;
      failures = 0;
      backoff.reset();
      const replaced = startAnew(position, header(stream, "nexusd-epoch"));
      if (replaced) {
        stream.destroy();
        yield replaced;
        continue;
      }
      yield* readStream(stream, position, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof NexusdError) {
        const replaced = startAnew(position, error.epoch);
        if (replaced) {
          yield replaced;
          continue;
        }
        if (isRefusal(error)) throw error;
      }
      if (!everConnected) throw error;
      if (failures === WORTH_A_WORD - 1) yield { kind: "away", error };
    }
    failures += 1;
    await clock.sleep(backoff.next(), signal).catch(() => {});
  }
}

interface Position {
  after: number;
  epoch: string | undefined;
}

function queryOf({ after, epoch }: Position, types: readonly string[] = []): URLSearchParams {
  const query = new URLSearchParams({ after: String(after) });
  for (const type of types) query.append("type", type);
  if (epoch !== undefined) query.set("epoch", epoch);
  return query;
}

/** If the log was replaced, resets the position to its beginning. */
function startAnew(position: Position, epoch: string | undefined): Followed | undefined {
  const previous = position.epoch;
  if (epoch === undefined || epoch === previous) return undefined;
  position.epoch = epoch;
  if (previous === undefined) return undefined;
  position.after = 0;
  return { kind: "replaced", epoch, previous };
}

/** An error that another attempt would meet again; 429, 5xx and lost connections are not. */
const isRefusal = (error: NexusdError) =>
  error.status !== undefined &&
  error.status >= 400 &&
  error.status < 500 &&
  !isNexusdError(
    error,
    "too_many_streams",
    "too_many_connections",
    "too_many_requests",
    "too_many_answer_bytes",
  );

/** Ends when the stream ends or breaks: the next one continues there. */
async function* readStream(
  stream: IncomingMessage,
  position: Position,
  signal: AbortSignal,
): AsyncGenerator<Followed, void, undefined> {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  stream.setEncoding("utf8");
  const chunks: AsyncIterator<string> = stream[Symbol.asyncIterator]();
  try {
    for (;;) {
      // Only errors of the stream mean a lost connection; those of the consumer of this generator are its own.
      const next = await chunks.next().catch(() => undefined);
      if (!next || next.done) return;
      parser.feed(next.value);
      for (const { id, event, data } of messages.splice(0)) {
        if (signal.aborted) return;
        if (event === GAP) {
          const gap = JSON.parse(data) as LogGap; // the contract of the stream
          position.after = Math.max(position.after, gap.to);
          yield { kind: "gap", gap };
          continue;
        }
        const sequence = Number(id);
        if (!id || !Number.isSafeInteger(sequence) || sequence <= position.after) continue;
        position.after = sequence;
        yield { kind: "event", sequence, json: data };
      }
    }
  } finally {
    stream.destroy();
  }
}

const header = (stream: IncomingMessage, name: string) => {
  const value = stream.headers[name];
  return typeof value === "string" ? value : undefined;
};
