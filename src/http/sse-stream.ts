// The events of one response, until it ends, is cut, falls silent or grows too large.

import type { Readable } from "node:stream";
import type { Clock } from "../scheduler/clock.ts";
import type { HttpStream } from "./client.ts";
import { HttpError } from "./errors.ts";
import { exchangeFailure } from "./failure.ts";
import { invalidBody, tooLarge } from "./response.ts";
import type { EventDecoder, ServerSentEvent } from "./sse-decode.ts";

export interface ReadEventsOptions {
  decoder: EventDecoder;
  /** The longest silence, comments included, while the next bytes are waited for. */
  idleTimeoutMs: number;
  /** The largest event, as the decoder knows it; for the error. */
  maxEventBytes: number;
  clock: Clock;
  signal?: AbortSignal;
  /** Bytes have come, be it only a comment. */
  onActivity?(): void;
}

/**
 * The events of a response, those of one piece together, until the server ends it; an event that the end cuts off is
 * not one. When this returns or throws, the body is destroyed and its connection given up.
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
  const silence = () => body.destroy(stopped(stream, "timeout", `was silent for ${idleTimeoutMs} ms`));
  const watchdog = watchSilence(options.clock, idleTimeoutMs, silence);

  // A destroyed body says so by an error event, even where nobody reads it any more.
  body.on("error", () => {});
  signal?.addEventListener("abort", abort, { once: true });
  try {
    if (signal?.aborted) throw stopped(stream, "aborted", "was given up by its reader");
    const pieces: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
    for (;;) {
      watchdog.wait();
      const piece = await pieces.next().catch((error: unknown) => {
        throw exchangeFailure(error, where, true);
      });
      watchdog.pause();
      if (piece.done) return;
      options.onActivity?.();
      const events = decoder.decode(piece.value);
      if (events === undefined) throw tooLarge(options.maxEventBytes, stream.status, where);
      if (events.length > 0) yield events;
    }
  } finally {
    watchdog.end();
    signal?.removeEventListener("abort", abort);
    await giveUp(body);
  }
}

/** Destroys the body; resolves when it has let go of its connection. */
export async function giveUp(body: Readable): Promise<void> {
  // Not events.once, which would reject where the body fails on the way.
  const closed = body.closed || new Promise((resolve) => body.once("close", resolve));
  body.destroy();
  await closed;
}

/** @throws HttpError `invalid_body`; a page or a JSON error with status 200 is not a stream of events */
export function checkHead(stream: HttpStream): void {
  if (stream.status === 200 && /^\s*text\/event-stream\s*(;|$)/i.test(stream.headers["content-type"] ?? ""))
    return;
  const { service, label } = stream;
  throw invalidBody("without a stream of events", "no_event_stream", stream, { service, label });
}

/** Rings once when a wait has taken `ms`; the time between two waits is the reader's own, and does not count. */
function watchSilence(clock: Clock, ms: number, ring: () => void) {
  const off = new AbortController();
  let since: number | undefined;
  const watch = async () => {
    for (let left = ms; left > 0; left = since === undefined ? ms : since + ms - clock.monotonic())
      await clock.sleep(left, off.signal);
    ring();
  };
  watch().catch(() => {});
  return {
    wait: () => {
      since = clock.monotonic();
    },
    pause: () => {
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
