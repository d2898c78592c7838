// Following the log across restarts of the daemon: each event once, in order, none missed.

import type { IncomingMessage } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { Clock } from "../core/clock.ts";
import type { ControlClient } from "./client.ts";
import { Failed, NoDaemon, waiting } from "./problem.ts";
import type { Role } from "./sockets.ts";

export interface FollowOptions {
  client: ControlClient;
  /** Over which socket; default: the agents'. */
  role?: Role;
  /** The last sequence that is already known. */
  after: number;
  /** The log that `after` counts in; undefined: the one that answers first. */
  epoch: string | undefined;
  /** The daemon has answered already: it is waited for from the start. */
  wasThere?: boolean;
  /** Types or patterns; none: every type. */
  types: string[] | undefined;
  clock: Clock;
  random: () => number;
  signal: AbortSignal;
  /** Called once for each event, in order; the next one waits for it. `false` ends the following. */
  onEvent(json: string): Promise<boolean>;
  /** What a person should know: the daemon is away, events are missing, the log is another one. */
  onNote(text: string): void;
}

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 2000;
// The daemon sends a comment every 15 s: three missed ones mean that it no longer does.
const SILENCE_MS = 45_000;
const GAP = "nexusd.log.gap";

/**
 * Resolves when `onEvent` returned false or the signal aborted.
 * @throws NoDaemon when there was none at the start, Failed when the daemon refuses
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { client, clock, random, signal, onNote } = options;
  const position = { after: options.after, epoch: options.epoch };
  let everConnected = options.wasThere ?? false;
  let failures = 0;
  let isAway = false;

  while (!signal.aborted) {
    try {
      const stream = await client.stream(`/v1/events/stream?${queryOf(position, options.types)}`, {
        ...(options.role && { role: options.role }),
        headers: { "last-event-id": String(position.after) },
        signal,
        silenceMs: SILENCE_MS,
      });
      if (isAway) onNote("connected again");
      isAway = false;
      everConnected = true;
      failures = 0;
      if (startsAnew(position, header(stream, "nexusd-epoch"), onNote)) {
        stream.destroy();
        continue;
      }
      if (!(await readStream(stream, position, options))) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Failed && !(error instanceof NoDaemon)) {
        if (startsAnew(position, error.epoch, onNote)) continue;
        if (isRefusal(error)) throw error;
      }
      if (!everConnected || error instanceof OutputError) throw error;
      // One or two failed attempts are what every restart looks like; it is worth a word when it goes on.
      if (failures > 2 && !isAway) {
        isAway = true;
        onNote(waiting(error));
      }
    }
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++);
    await clock.sleep(delay * (0.5 + random() / 2), signal).catch(() => {});
  }
}

interface Position {
  after: number;
  epoch: string | undefined;
}

function queryOf({ after, epoch }: Position, types: string[] = []): URLSearchParams {
  const query = new URLSearchParams({ after: String(after) });
  for (const type of types) query.append("type", type);
  if (epoch !== undefined) query.set("epoch", epoch);
  return query;
}

/** Whether the log is another one than followed so far; the position is then its beginning. */
function startsAnew(position: Position, epoch: string | undefined, onNote: (text: string) => void): boolean {
  if (epoch === undefined || epoch === position.epoch) return false;
  const before = position.epoch;
  position.epoch = epoch;
  if (before === undefined) return false;
  position.after = 0;
  onNote(`the log was replaced (epoch ${before} is now ${epoch}): following the new one from its beginning`);
  return true;
}

/** Our own fault or the log's, which another attempt would meet again; 5xx and lost connections are not. */
const isRefusal = ({ problem: { status } }: Failed) => status !== undefined && status >= 400 && status < 500;

/** The reader of stdout is the one that failed: no reconnecting helps. */
class OutputError extends Error {}

/** @returns false when the following is over; true when the stream ended or broke */
async function readStream(
  stream: IncomingMessage,
  position: Position,
  { onEvent, onNote, signal }: FollowOptions,
): Promise<boolean> {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => messages.push(message) });
  stream.setEncoding("utf8");
  try {
    for await (const chunk of stream) {
      parser.feed(chunk);
      for (const { id, event, data } of messages.splice(0)) {
        if (event === GAP) {
          const gap = JSON.parse(data) as { from: number; to: number }; // the contract of the stream
          onNote(`events ${gap.from} to ${gap.to} are missing: retention removed them`);
          position.after = Math.max(position.after, gap.to);
          continue;
        }
        const sequence = Number(id);
        if (!id || !Number.isSafeInteger(sequence) || sequence <= position.after) continue;
        position.after = sequence;
        const goOn = await onEvent(data).catch((cause) => {
          throw new OutputError("stdout failed", { cause });
        });
        if (!goOn || signal.aborted) return false;
      }
    }
  } catch (error) {
    if (error instanceof OutputError) throw error;
    // A cut stream: the next one goes on where this one ended.
  } finally {
    stream.destroy();
  }
  return !signal.aborted;
}

const header = (stream: IncomingMessage, name: string) => {
  const value = stream.headers[name];
  return typeof value === "string" ? value : undefined;
};
