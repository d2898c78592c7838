// The event stream of this page: its events, and whether the screen is up to date.

import { computed, signal } from "@preact/signals";
import { createParser } from "eventsource-parser";
import type { StatusView } from "../../../contract/api/status.ts";
import { get, open, Refused, wordsOf } from "../lib/api.ts";
import { now } from "./clock.ts";

/** The daemon sends something at least every 15 s. */
const STALE_AFTER_MS = 20_000;
const AGAIN_MS = { first: 500, most: 5000 };

/** An event of the log: its JSON as received, and the parsed fields that are used. */
export interface LogEvent {
  sequence: number;
  /** Without nexusd's prefix. */
  type: string;
  json: string;
}

type Listener = (event: LogEvent) => void;
/** Reloads what a view shows, once the stream is open. */
type Reader = (signal: AbortSignal) => Promise<void>;

const lastByteAt = signal(0);
/** Whether everything was reloaded since the stream was opened. */
const isRead = signal(false);
/** Why there is no stream, in words; "": there is one, or it is being opened for the first time. */
export const trouble = signal("");
export const status = signal<StatusView | undefined>(undefined);

/** How long the stream has been silent; undefined: not too long, or it never sent anything. */
export const staleMs = computed(() => {
  const ms = now.value - lastByteAt.value;
  return lastByteAt.value > 0 && ms > STALE_AFTER_MS ? ms : undefined;
});

/** Whether the screen is current enough to decide. */
export const isCurrent = computed(() => isRead.value && staleMs.value === undefined && trouble.value === "");

const listeners: Listener[] = [];
const readers: Reader[] = [];
const resets: (() => void)[] = [];

export const onEvent = (listener: Listener): number => listeners.push(listener);
export const onConnected = (reader: Reader): number => readers.push(reader);
/** The log was replaced: all known data is invalid. */
export const onOtherLog = (reset: () => void): number => resets.push(reset);

/** Follows the log as long as the page is open. */
export async function follow(): Promise<never> {
  let position: { epoch: string; after: number } | undefined;
  for (let failures = 0; ; failures++) {
    const attempt = new AbortController();
    const watch = setInterval(() => {
      // Time in which the machine slept counts as well: this is the wall clock.
      if (lastByteAt.value > 0 && Date.now() - lastByteAt.value > STALE_AFTER_MS) attempt.abort();
    }, 1000);
    try {
      const read = await get<StatusView>("/v1/status", AbortSignal.timeout(STALE_AFTER_MS));
      if (position?.epoch !== read.epoch || position.after > read.log.latest) {
        if (position) for (const reset of resets) reset();
        position = { epoch: read.epoch, after: read.log.latest };
      }
      status.value = read;
      lastByteAt.value = Date.now();
      for await (const event of events(position, attempt.signal)) {
        failures = 0;
        if (!event) continue;
        position.after = event.sequence;
        for (const listener of listeners) listener(event);
      }
      trouble.value = "The event stream has ended.";
    } catch (error) {
      if (!attempt.signal.aborted) trouble.value = wordsOf(error);
      // The log was replaced, or restored from a backup.
      if (error instanceof Refused && error.status === 409) position = undefined;
    } finally {
      clearInterval(watch);
      attempt.abort();
      isRead.value = false;
    }
    await new Promise((resolve) =>
      setTimeout(resolve, Math.min(AGAIN_MS.first * 2 ** failures, AGAIN_MS.most)),
    );
  }
}

/** The events as they arrive; undefined: a comment, which shows that the stream is alive. */
async function* events(
  { epoch, after }: { epoch: string; after: number },
  signal: AbortSignal,
): AsyncGenerator<LogEvent | undefined> {
  const opening = open(`/v1/events/stream?after=${after}&epoch=${encodeURIComponent(epoch)}`, signal);
  // Data loaded after the position is known includes everything up to it; the stream continues from there.
  void readAll(opening, signal);
  const answer = await opening;
  if (!answer.body) return;
  const waiting: LogEvent[] = [];
  const parser = createParser({
    onEvent({ id, event = "", data }) {
      if (id) waiting.push({ sequence: Number(id), type: event.replace(/^nexusd\./, ""), json: data });
    },
  });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    lastByteAt.value = Date.now();
    parser.feed(value);
    yield undefined;
    yield* waiting.splice(0);
  }
}

/** Reloads all views; decisions are disabled until then. */
async function readAll(opening: Promise<unknown>, signal: AbortSignal): Promise<void> {
  try {
    await Promise.all([opening, ...readers.map((read) => read(signal))]);
    if (signal.aborted) return;
    isRead.value = true;
    trouble.value = "";
  } catch (error) {
    if (signal.aborted) return;
    trouble.value = wordsOf(error);
    setTimeout(() => readAll(opening, signal), AGAIN_MS.most);
  }
}
