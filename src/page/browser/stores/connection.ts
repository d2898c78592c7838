// The one event stream of this page: what it brings, and whether what is on the screen can be relied on.

import { computed, signal } from "@preact/signals";
import { createParser } from "eventsource-parser";
import type { StatusView } from "../../../contract/api/status.ts";
import { get, open, Refused, wordsOf } from "../lib/api.ts";
import { now } from "./clock.ts";

/** The daemon sends something at least every 15 s. */
const STALE_AFTER_MS = 20_000;
const AGAIN_MS = { first: 500, most: 5000 };

/** An event of the log: its JSON as it came, and what is looked at of it. */
export interface LogEvent {
  sequence: number;
  /** Without the prefix of nexusd. */
  type: string;
  json: string;
}

type Listener = (event: LogEvent) => void;
/** Reads again what a view shows, once the stream is there. */
type Reader = (signal: AbortSignal) => Promise<void>;

const lastByteAt = signal(0);
/** Whether everything was read again since the stream was opened. */
const isRead = signal(false);
/** Why there is no stream, in words; "": there is one, or it is being opened for the first time. */
export const trouble = signal("");
export const status = signal<StatusView | undefined>(undefined);

/** How long nothing has come; undefined: not too long, or nothing ever has. */
export const staleMs = computed(() => {
  const ms = now.value - lastByteAt.value;
  return lastByteAt.value > 0 && ms > STALE_AFTER_MS ? ms : undefined;
});

/** Whether somebody may decide by what is on the screen. */
export const isCurrent = computed(() => isRead.value && staleMs.value === undefined && trouble.value === "");

const listeners: Listener[] = [];
const readers: Reader[] = [];
const resets: (() => void)[] = [];

export const onEvent = (listener: Listener): number => listeners.push(listener);
export const onConnected = (reader: Reader): number => readers.push(reader);
/** The log is another one: nothing that is known goes on. */
export const onOtherLog = (reset: () => void): number => resets.push(reset);

/** Follows the log for as long as the page is open. */
export async function follow(): Promise<never> {
  let position: { epoch: string; after: number } | undefined;
  for (let failures = 0; ; failures++) {
    const attempt = new AbortController();
    const watch = setInterval(() => {
      // What the machine slept through counts as well: this is the wall clock.
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

/** What comes, as it comes; undefined: something that is no event, which shows that the stream is alive. */
async function* events(
  { epoch, after }: { epoch: string; after: number },
  signal: AbortSignal,
): AsyncGenerator<LogEvent | undefined> {
  const opening = open(`/v1/events/stream?after=${after}&epoch=${encodeURIComponent(epoch)}`, signal);
  // What is read after the position is known has everything before it; the stream brings what is behind it.
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

/** All views read what they show; until then nothing is decided. */
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
