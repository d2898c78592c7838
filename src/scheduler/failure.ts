// What a log may say about anything that was thrown: a stable code, and a message without text from outside.

import type { Failure } from "../contract/new-event.ts";
import { StoreError } from "../contract/store.ts";
import { HttpError } from "../http/errors.ts";
import { JobError } from "./job.ts";
import { ScheduleError } from "./schedule.ts";

// Their messages are ours, and safe.
const OWN_ERRORS = [HttpError, StoreError, JobError, ScheduleError];
const LONGEST_MESSAGE = 500;
const LONGEST_CODE = 64;

/** Never throws, whatever was thrown. The code is the error's own, else its name; the message is one short line. */
export function describeFailure(thrown: unknown): Failure {
  try {
    if (!(thrown instanceof Error))
      return { code: "not_an_error", message: `a value that is not an Error was thrown (${typeof thrown})` };
    const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.name;
    return {
      code: code.replace(/[^\w.-]/g, "_").slice(0, LONGEST_CODE) || "Error",
      message: oneLine(describeMessage(thrown)),
    };
  } catch {
    return { code: "unreadable_error", message: "an error that cannot be read was thrown" };
  }
}

/** What the service asked to wait (`Retry-After`), in milliseconds; 0 when it did not. Never throws. */
export function retryAfterOf(thrown: unknown): number {
  try {
    return (thrown instanceof HttpError && thrown.retryAfterMs) || 0;
  } catch {
    return 0;
  }
}

/** The error itself for a log line, unless reading it throws, which a logger would do. */
export function loggable(thrown: unknown): Error | undefined {
  try {
    if (!(thrown instanceof Error)) return undefined;
    void [thrown.name, thrown.message, thrown.stack, thrown.cause, ...Object.values(thrown)];
    return thrown;
  } catch {
    return undefined;
  }
}

function describeMessage(error: Error): string {
  if (OWN_ERRORS.some((own) => error instanceof own)) return error.message;
  // JSON.parse quotes what it could not read, which is text from outside.
  if (error instanceof SyntaxError) return "SyntaxError";
  return `${error.name}: ${error.message}`;
}

// \p{C}: control characters, and those that turn the direction of the text around.
const oneLine = (text: string) =>
  text
    .slice(0, 4 * LONGEST_MESSAGE)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, LONGEST_MESSAGE);
