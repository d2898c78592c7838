// How a call fails: every problem of the contract, and failures to reach the daemon, as one class.

import type { Extensions } from "../contract/problem.ts";
import { PROBLEMS, type ProblemCode } from "../contract/problem-codes.ts";

/** RFC 9457 with nexusd's members. `code` may be unknown to this version. */
export interface Problem extends Extensions {
  type?: string;
  title: string;
  /** Missing if it is not the daemon's answer. */
  status?: number;
  detail: string;
  code: string;
}

/** What can go wrong before a daemon answers. */
const OWN_CODES = [
  "no_daemon",
  "not_a_socket",
  "socket_forbidden",
  "connection_failed",
  "timeout",
  "bad_answer",
] as const;

/** `unknown_problem`: one of a newer daemon, whose own code is in `problem.code`. */
export type ErrorCode = ProblemCode | (typeof OWN_CODES)[number] | "unknown_problem";

interface ErrorOptions {
  /** The problem exactly as the daemon sent it. */
  json?: string;
  /** The epoch of the daemon that refused. */
  epoch?: string | undefined;
  /** How long the daemon asks to wait before the next attempt (`Retry-After`), in milliseconds. */
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A refusal or a failure. The message is the problem's `detail`, a sentence for a person. */
export class NexusdError extends Error {
  override readonly name: string = "NexusdError";
  readonly code: ErrorCode;
  readonly problem: Problem;
  /** The problem as JSON: the daemon's own text if it is its answer. */
  readonly json: string;
  readonly epoch: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, options: ErrorOptions = {}) {
    super(problem.detail, { cause: options.cause });
    this.code = isKnown(problem.code) ? problem.code : "unknown_problem";
    this.problem = problem;
    this.json = options.json ?? JSON.stringify({ type: "about:blank", ...problem });
    this.epoch = options.epoch;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The daemon's status; undefined: no daemon answered. */
  get status(): number | undefined {
    return this.problem.status;
  }
}

const isKnown = (code: string): code is ErrorCode =>
  Object.hasOwn(PROBLEMS, code) || (OWN_CODES as readonly string[]).includes(code);

/** Whether it failed with one of these codes; without codes: with any. */
export function isNexusdError<Code extends ErrorCode>(
  error: unknown,
  ...codes: Code[]
): error is NexusdError & { code: Code } {
  return error instanceof NexusdError && (codes.length === 0 || (codes as ErrorCode[]).includes(error.code));
}

/**
 * Whether the same call may succeed a little later, with nothing else changed: the daemon is unavailable, or it or a
 * service is overloaded or down. Whether a call that changes something has taken effect is unknown.
 */
export const isPassing = (error: unknown): error is NexusdError =>
  isNexusdError(error, "no_daemon", "connection_failed", "timeout") ||
  (error instanceof NexusdError && ((error.status ?? 0) >= 500 || error.status === 429));
