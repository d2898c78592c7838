// The events of one response, until it ends, is cut, falls silent or grows too large.

import type { Readable } from "node:stream";
import type { Clock } from "../core/clock.ts";
import type { HttpStream } from "./client.ts";
import { HttpError } from "./errors.ts";
import { exchangeFailure } from "./failure.ts";
import { invalidBody, tooLarge } from "./response.ts";
import { roomFor, UNCOUNTED_BYTES } from "./room.ts";
import type { EventDecoder, ServerSentEvent } from "./sse-decode.ts";

export interface ReadEventsOptions {
  decoder: EventDecoder;
  /** The longest wait for the next bytes of an event stream, comments included. */
  idleTimeoutMs: number;
  /** The largest event, by the decoder's measure; for the error. */
  maxEventBytes: number;
  clock: Clock;
  signal?: AbortSignal;
  /** Some part of an event stream has arrived, if only a comment. */
  onActivity?(): void;
}

/**
 * The events of a response, those of one piece together, until the server ends it; an incomplete event at the end is
 * dropped. The first readable data is reported even if it is only a comment: then there are no events yet. When this
 * returns or throws, the body is destroyed and its connection closed.
 * @throws HttpError `timeout` (silence), `too_large`, `network` (cut), `aborted`
 */
export async function* readEvents(
  stream: HttpStream,
  options: ReadEventsOptions,
): AsyncGenerator<ServerSentEvent[], void, undefined> {
  const { decoder, idleTimeoutMs, signal } = options;
  const { body } = stream;
  const where = { service: stream.service, label: stream.label };
  const abort = () => body.destroy(stopped(stream, "aborted", "was given up by its reader"));
  const silence = () =>
    body.destroy(stopped(stream, "timeout", `had nothing that could be read for ${idleTimeoutMs} ms`));
  const decode = (bytes: Uint8Array) => {
    try {
      return decoder.decode(bytes);
    } catch {
      throw invalidBody("a stream of events that is not UTF-8", "not_utf8", stream, where);
    }
  };
  const watchdog = watchSilence(options.clock, idleTimeoutMs, silence);

  // A destroyed body emits an error event, even if nobody reads it any more.
  body.on("error", () => {});
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (signal?.aborted) throw stopped(stream, "aborted", "was given up by its reader");
    const pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
    for (let hasBegun = false; ; ) {
      watchdog.wait();
      const piece = await pieces.next().catch((error: unknown) => {
        throw exchangeFailure(error, where, true);
      });
      if (piece.done) return;
      const events = decode(piece.value);
      watchdog.pause(decoder.isReadable);
      if (events === undefined) throw tooLarge(options.maxEventBytes, stream.status, where);
      if (decoder.isReadable) options.onActivity?.();
      if (decoder.pending <= UNCOUNTED_BYTES) stream.place?.release();
      else await roomFor(stream.place, decoder.pending, body);
      if (events.length > 0 || (decoder.isReadable && !hasBegun)) yield events;
      hasBegun ||= decoder.isReadable;
    }
  } finally {
    watchdog.end();
    signal?.removeEventListener("abort", abort);
    await giveUp(body);
  }
}

/** Destroys the body; resolves when it has released its connection. */
export async function giveUp(body: Readable): Promise<void> {
  // Not events.once, which would reject where the body fails on the way.
  const closed = body.closed || new Promise((resolve) => body.once("close", resolve));
  body.destroy();
  await closed;
}

/** @throws HttpError `invalid_body`; a page or a JSON error with status 200 is not a stream of events */
export function checkHead(stream: HttpStream): void {
  const isStream = stream.status === 200 && /^\s*text\/event-stream\s*(;|$)/i.test(typeOf(stream));
  if (isStream) return;
  const { service, label } = stream;
  throw invalidBody("without a stream of events", "no_event_stream", stream, { service, label });
}

const typeOf = ({ headers }: HttpStream): string => headers["content-type"] ?? "";

/**
 * Whether the response claims another charset than UTF-8, which every event stream is in. Many do so by habit: it is
 * believed only if the bytes are not UTF-8, either.
 */
export const namesOtherCharset = (stream: HttpStream): boolean =>
  /;\s*charset\s*=(?!\s*"?(utf-?8|us-ascii)"?\s*(;|$))/i.test(typeOf(stream));

/**
 * Fires once when waits have taken `ms` since the last one that brought something; the time between two waits is the
 * reader's own, and does not count.
 */
function watchSilence(clock: Clock, ms: number, ring: () => void) {
  const off = new AbortController();
  let since: number | undefined;
  let waitedMs = 0;
  const watch = async () => {
    for (let left = ms; left > 0; left = since === undefined ? ms : since + ms - clock.monotonic())
      await clock.sleep(left, off.signal);
    ring();
  };
  watch().catch(() => {});
  return {
    wait: () => {
      since = clock.monotonic() - waitedMs;
    },
    pause: (isSomething: boolean) => {
      waitedMs = isSomething || since === undefined ? 0 : clock.monotonic() - since;
      since = undefined;
    },
    end: () => off.abort(),
  };
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
