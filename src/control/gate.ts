// What may run at once on one socket ([limits]; docs/limits.md). Each socket has its own gate, so that agents never
// take a place from an operator.

import type { ServerResponse } from "node:http";
import type { Config } from "../config/schema.ts";
import type { ProblemCode } from "../contract/problem-codes.ts";
import { sizeText } from "../core/size.ts";
import type { Role } from "./context.ts";
import { Problem } from "./problem.ts";
import { createShare, hungUp, type Share } from "./share.ts";
import { createTurns, type TakeTurn } from "./turns.ts";

export type Limits = Config["limits"];

/** An operator has no other users to protect, but a script of theirs may run wild. */
const OF_OPERATORS: Partial<Limits> = {
  connections: 512,
  request_bytes: 64 * 2 ** 20,
  answer_bytes: 64 * 2 ** 20,
  long_polls: 256,
  streams: 64,
  expensive_requests: 16,
  reads: 64,
};

/** Small answers always pass: a refusal would be no shorter. */
const SMALL_ANSWER = 2 ** 14;
const EXPENSIVE_WITHIN_MS = 10_000;

export interface Gate {
  /** The current limits: a reload changes them. */
  limits(): Limits;
  /** A turn of the event loop, needed before anything slower than a lookup. */
  turn: TakeTurn;
  body: Share;
  answer: Share;
  longPoll: Share;
  stream: Share;
  read: Share;
  /** Takes a place among the expensive requests, waiting for one if needed. @returns releases it; idempotent */
  expensive(response: ServerResponse): Promise<() => void>;
}

export function createGate({ role, limits: configured }: { role: Role; limits: () => Limits }): Gate {
  const limits = (): Limits => (role === "agent" ? configured() : { ...configured(), ...OF_OPERATORS });
  const socket = `${role}.sock`;
  const share = (
    code: ProblemCode,
    key: "request_bytes" | "answer_bytes" | "long_polls" | "streams" | "reads",
    words: (most: number) => string,
    retryAfter: number,
  ) =>
    createShare({
      most: () => limits()[key],
      refusal: (most) =>
        new Problem(code, `${words(most)} Try again later, or raise limits.${key}.`, {
          headers: { "retry-after": `${retryAfter}` },
        }),
    });
  const tooManyRequests = (most: number) =>
    new Problem("too_many_requests", `${most} requests already wait for their turn on ${socket}.`, {
      headers: { "retry-after": "1" },
    });

  return {
    limits,
    turn: createTurns({
      // No more than one per connection; a client that sends several at once on one may have to retry some.
      refuse: (waiting) => (waiting < limits().connections ? undefined : tooManyRequests(waiting)),
      gone: hungUp,
    }),
    body: share(
      "too_many_request_bytes",
      "request_bytes",
      (most) => `Request bodies take ${sizeText(most)} on ${socket}, which is the limit.`,
      1,
    ),
    answer: share(
      "too_many_answer_bytes",
      "answer_bytes",
      (most) => `Unread answers take ${sizeText(most)} on ${socket}, which is the limit.`,
      1,
    ),
    longPoll: share(
      "too_many_long_polls",
      "long_polls",
      (most) => `${most} requests with "wait" are open on ${socket}, which is the limit.`,
      5,
    ),
    stream: share(
      "too_many_streams",
      "streams",
      (most) => `${most} event streams are open on ${socket}, which is the limit.`,
      15,
    ),
    read: share(
      "too_many_reads",
      "reads",
      (most) => `${most} reads of the services are under way on ${socket}, which is the limit.`,
      5,
    ),
    expensive: createPlaces(() => limits().expensive_requests, tooManyRequests),
  };
}

/** @throws Problem if the answer is too large to be sent beside those that wait to be read */
export function takeAnswer(gate: Gate, response: ServerResponse, bytes: number): void {
  if (bytes > SMALL_ANSWER) gate.answer.take(response, bytes);
}

/** A semaphore with a FIFO queue; nothing waits longer than 10 s. */
function createPlaces(most: () => number, refusal: (most: number) => Problem): Gate["expensive"] {
  let used = 0;
  const queue = new Set<() => void>();
  const release = () => {
    used--;
    for (const begin of queue) {
      if (used >= most()) return;
      begin();
    }
  };
  return async (response) => {
    if (response.destroyed) throw hungUp();
    if (used >= most())
      await new Promise<void>((resolve, reject) => {
        const end = (settle: () => void) => {
          queue.delete(begin);
          clearTimeout(timer);
          response.removeListener("close", leave);
          settle();
        };
        const begin = () => {
          used++;
          end(resolve);
        };
        const leave = () => end(() => reject(hungUp()));
        const timer = setTimeout(() => end(() => reject(refusal(queue.size + 1))), EXPENSIVE_WITHIN_MS);
        response.once("close", leave);
        queue.add(begin);
      });
    else used++;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      release();
    };
  };
}
