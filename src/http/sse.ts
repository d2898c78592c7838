// Server-sent events (WHATWG HTML, "Server-sent events") out of an open stream.

import { createParser } from "eventsource-parser";
import type { Clock } from "../scheduler/clock.ts";
import type { HttpStream } from "./client.ts";
import { HttpError } from "./errors.ts";
import { exchangeFailure } from "./failure.ts";
import { invalidBody, tooLarge } from "./response.ts";

export interface ServerSentEvent {
  /** "message" where the server named none. */
  event: string;
  data: string;
  id: string | undefined;
}

export interface ReadEventsOptions {
  /** The longest silence, comments included, while the next bytes are waited for. */
  idleTimeoutMs: number;
  clock: Clock;
  signal?: AbortSignal;
  /** The largest event; the memory that a server can make us use. Default 8 MiB. */
  maxEventBytes?: number;
  /** Bytes have come, be it only a comment. */
  onActivity?(): void;
}

/**
 * The events of a stream, until the server ends it; an event that the end cuts off is not one. The body is destroyed
 * when the reader stops, for whatever reason.
 * @throws HttpError `invalid_body` (not text/event-stream), `timeout` (silence), `too_large`, `network` (cut), `aborted`
 */
export async function* readEvents(
  stream: HttpStream,
  options: ReadEventsOptions,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const { clock, signal, idleTimeoutMs, maxEventBytes = 8 * 1024 * 1024, onActivity } = options;
  const { body } = stream;
  const where = { service: stream.service, label: stream.label };
  const abort = () => body.destroy(stopped(stream, "aborted", "was given up by its reader"));
  const silence = () => body.destroy(stopped(stream, "timeout", `was silent for ${idleTimeoutMs} ms`));

  // A destroyed body says so by an error event, even where nobody reads it any more.
  body.on("error", () => {});
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (signal?.aborted) throw stopped(stream, "aborted", "was given up by its reader");
    if (!/^text\/event-stream\s*(;|$)/i.test(stream.headers["content-type"] ?? "")) {
      throw invalidBody("without a stream of events", "no_event_stream", stream, where);
    }
    const decoder = new TextDecoder();
    const parse = createEventParser(maxEventBytes);
    const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
    for (;;) {
      const chunk = await withAlarm(clock, idleTimeoutMs, silence, () => chunks.next()).catch((error) => {
        throw exchangeFailure(error, where, true);
      });
      if (chunk.done) return;
      onActivity?.();
      const events = parse(decoder.decode(chunk.value, { stream: true }));
      if (events === undefined) throw tooLarge(maxEventBytes, stream.status, where);
      yield* events;
    }
  } finally {
    signal?.removeEventListener("abort", abort);
    body.destroy();
  }
}

/** Gives the events that each piece of text completes; undefined once one has grown too large. */
function createEventParser(maxLength: number): (text: string) => ServerSentEvent[] | undefined {
  let events: ServerSentEvent[] = [];
  let isTooLarge = false;
  const parser = createParser({
    // In UTF-16 units, of which a text has at most as many as bytes.
    maxBufferSize: maxLength,
    onEvent: ({ event = "message", data, id }) => events.push({ event, data, id }),
    onError: ({ type }) => {
      // Unknown fields are to be ignored.
      isTooLarge ||= type === "max-buffer-size-exceeded";
    },
  });
  return (text) => {
    events = [];
    parser.feed(text);
    return isTooLarge ? undefined : events;
  };
}

/** What `work` gives; `ring` is called where that takes longer than `ms`. */
async function withAlarm<T>(clock: Clock, ms: number, ring: () => void, work: () => Promise<T>): Promise<T> {
  const off = new AbortController();
  clock.sleep(ms, off.signal).then(ring, () => {});
  try {
    return await work();
  } finally {
    off.abort();
  }
}

const stopped = (stream: HttpStream, kind: "timeout" | "aborted", what: string): HttpError =>
  new HttpError({
    service: stream.service,
    label: stream.label,
    kind,
    message: `${stream.service}: ${stream.label} ${what}`,
    status: stream.status,
    code: kind === "timeout" ? "stream_silent" : "aborted",
    retryable: kind === "timeout",
    maybeSent: true,
  });
