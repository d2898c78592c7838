// One request on the wire and its answer, below undici's promises and streams: at thousands of requests a second those
// cost more than everything that nexusd does with an answer.

import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import type { Lease } from "./budget.ts";
import { Chunks } from "./chunks.ts";
import type { Method } from "./client.ts";
import type { Deadline, Waiter } from "./deadline.ts";
import type { HttpError } from "./errors.ts";
import type { Progress } from "./failure.ts";
import { TooLate } from "./late.ts";
import { type Place, type Room, UNCOUNTED_BYTES } from "./room.ts";

/** What goes out. */
interface Outgoing {
  origin: string;
  path: string;
  method: Method;
  headers: Record<string, string>;
  body: string | null;
  /** Without undici's own limits: the deadline covers everything. */
  headersTimeout: 0;
  bodyTimeout: 0;
}

export interface ExchangeOptions {
  dispatcher: Dispatcher;
  deadline: Deadline;
  /** Called when the request begins to be written: until then the server cannot have seen it. */
  progress: Progress;
  /** The largest body of a 2xx. */
  maxBytes: number;
  /** Where a large body waits for room. */
  room: Room | undefined;
  /** Whether the body of a 2xx is returned as a stream. */
  asStream: boolean;
  /** Ends with the headers: the server has counted the request by then. */
  lease: Lease | undefined;
  /** As in HttpRequest. */
  mayBegin: (() => boolean) | undefined;
}

export interface Answer {
  status: number;
  /** Names in lower case; a repeated header is joined with ", ". */
  headers: Record<string, string>;
  body: Buffer;
  /** Instead of `body`, if it was requested and the answer is a 2xx. It fails if the deadline does. */
  stream?: Readable;
  /** Whether the body was larger than allowed: then it is missing, and its connection was closed. */
  isTooLarge?: boolean;
  /** The room that the body takes, to be released by whoever has processed it. */
  place?: Place;
  /** What cut off the body of a non-2xx answer: its status says more. */
  cut?: unknown;
}

// Enough of an error answer to find its code; the rest of a large one is not worth reading.
const MAX_ERROR_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);
const GIVEN_UP = new Error("nobody waits for the answer any more");

/**
 * Resolves at the end of the answer, or at the headers of a 2xx that is to be a stream. Rejects with undici's error, or
 * with the deadline's as soon as it comes, whatever there is to wait for.
 */
export const exchange = (outgoing: Outgoing, options: ExchangeOptions): Promise<Answer> =>
  new Promise((resolve, reject) => {
    if (options.deadline.error) return reject(options.deadline.error);
    const handler = new AnswerHandler(options, resolve, reject);
    options.dispatcher.dispatch(outgoing, handler);
  });

class AnswerHandler implements Dispatcher.DispatchHandler, Waiter {
  readonly #options: ExchangeOptions;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #headers: Record<string, string> = {};
  readonly #chunks = new Chunks();
  #stream: Readable | undefined;
  #place: Place | undefined;
  #isOver = false;

  constructor(options: ExchangeOptions, resolve: (answer: Answer) => void, reject: (error: unknown) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    options.deadline.add(this);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // undici keeps a cancelled request in its queue until there is a connection.
    if (this.#isOver) controller.abort(GIVEN_UP);
    else if (this.#isTooLate()) {
      this.#fail(new TooLate());
      controller.abort(GIVEN_UP);
    } else this.#options.progress.sent = true;
    this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#isOver) return;
    this.#status = status;
    this.#headers = joined(headers);
    this.#options.lease?.done();
    if (this.#options.asStream && this.#isSuccess()) this.#open(controller);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#stream) {
      if (!this.#stream.push(chunk)) controller.pause();
      return;
    }
    const length = this.#chunks.length + chunk.length;
    if (length <= (this.#isSuccess() ? this.#options.maxBytes : MAX_ERROR_BYTES)) {
      this.#chunks.add(chunk);
      if (length > UNCOUNTED_BYTES) this.#hold(controller, length);
      return;
    }
    this.#settle({ status: this.#status, headers: this.#headers, body: NOTHING, isTooLarge: true });
    controller.abort(GIVEN_UP);
  }

  onResponseEnd(): void {
    if (this.#isOver) return;
    if (this.#stream) {
      this.#isOver = true;
      this.#stream.push(null);
      return;
    }
    const place = this.#place;
    const body = this.#chunks.whole();
    // Released by the receiver of the answer.
    this.#place = undefined;
    this.#settle({ status: this.#status, headers: this.#headers, body, ...(place && { place }) });
  }

  onResponseError(_controller: unknown, error: unknown): void {
    if (this.#isOver) return;
    if (this.#stream) this.#stream.destroy(error instanceof Error ? error : GIVEN_UP);
    else if (this.#status === 0 || this.#isSuccess()) this.#fail(error);
    else this.#settle({ status: this.#status, headers: this.#headers, body: NOTHING, cut: error });
  }

  #isTooLate(): boolean {
    const { mayBegin, lease } = this.#options;
    return mayBegin?.() === false || lease?.isLate?.() === true;
  }

  #isSuccess(): boolean {
    return isSuccess(this.#status);
  }

  /** Nothing more is read until there is room for it. */
  #hold(controller: Dispatcher.DispatchController, length: number): void {
    this.#place ??= this.#options.room?.open(this.#mostBytes());
    if (!this.#place) return;
    const { progress } = this.#options;
    const isHeld = this.#place.grow(length, () => {
      progress.phase = "server";
      controller.resume();
    });
    if (isHeld) return;
    progress.phase = "room";
    controller.pause();
  }

  /** If a body says its length, no more than that. */
  #mostBytes(): number {
    const { "content-length": length, "content-encoding": coding } = this.#headers;
    const said = coding === undefined ? Number(length) : 0;
    return Number.isSafeInteger(said) && said > 0
      ? Math.min(said, this.#options.maxBytes)
      : this.#options.maxBytes;
  }

  #open(controller: Dispatcher.DispatchController): void {
    const stream = new Readable({
      read: () => controller.resume(),
      destroy: (error, done) => {
        this.#options.deadline.delete(this);
        if (!this.#isOver) controller.abort(error ?? GIVEN_UP);
        this.#isOver = true;
        done(error);
      },
    });
    // A destroyed body emits an error event, even if nobody reads it any more.
    stream.on("error", () => {});
    this.#stream = stream;
    this.#resolve({ status: this.#status, headers: this.#headers, body: NOTHING, stream });
  }

  /** By the deadline. */
  giveUp(error: HttpError): void {
    if (error.kind === "aborted" && !this.#stream) this.#fail(error);
    else this.onResponseError(undefined, error);
    this.#controller?.abort(error);
  }

  #settle(answer: Answer): void {
    this.#isOver = true;
    this.#place?.release();
    this.#options.deadline.delete(this);
    this.#resolve(answer);
  }

  #fail(error: unknown): void {
    this.#isOver = true;
    this.#place?.release();
    this.#options.deadline.delete(this);
    this.#reject(error);
  }
}

export const isSuccess = (status: number) => status >= 200 && status < 300;

/** The same object, in which only repeated headers are changed. */
function joined(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) headers[name] = value.join(", ");
    else if (value === undefined) delete headers[name];
  }
  // Every value is a string now.
  return headers as Record<string, string>;
}
