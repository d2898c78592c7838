// What a log may say about anything that was thrown: a stable code, and a message without text from outside.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Failure } from "../contract/new-event.ts";
import { StoreError } from "../contract/store.ts";
import { HttpError } from "../http/errors.ts";
import { JobError } from "./job.ts";
import { ScheduleError } from "./schedule.ts";

// Their messages are ours, and safe.
const OWN_ERRORS = [HttpError, StoreError, JobError, ScheduleError];
const LONGEST_MESSAGE = 500;
const LONGEST_CODE = 64;

/**
 * Never throws, whatever was thrown. The code is the error's own, else its name; the message is one short line.
 * @param directory of jobs of one's own: where one of their lines is to blame, the message ends with it
 */
export function describeFailure(thrown: unknown, directory?: string): Failure {
  try {
    if (!(thrown instanceof Error))
      return { code: "not_an_error", message: `a value that is not an Error was thrown (${typeof thrown})` };
    const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : thrown.name;
    return {
      code: code.replace(/[^\w.-]/g, "_").slice(0, LONGEST_CODE) || "Error",
      message: oneLine(describeMessage(thrown)) + (directory === undefined ? "" : at(thrown, directory)),
    };
  } catch {
    return { code: "unreadable_error", message: "an error that cannot be read was thrown" };
  }
}

/** " (report.ts:12)", of the first line of the stack that is in the directory. */
function at({ stack = "" }: Error, directory: string): string {
  const place = placeIn(stack, directory);
  return place ? ` (${place.file}:${place.line})` : "";
}

/** The first file of the directory in a stack, relative to it, and its line. Modules in node_modules are others'. */
export function placeIn(stack: string, directory: string): { file: string; line: number } | undefined {
  const path = `${resolve(directory)}/`;
  // Modules have addresses in it, CommonJS has paths.
  const roots = [pathToFileURL(path).href, path];
  for (const line of stack.split("\n"))
    for (const root of roots) {
      const start = line.indexOf(root);
      const [, file = "", number = ""] = start < 0 ? [] : (PLACE.exec(line.slice(start + root.length)) ?? []);
      if (file !== "" && !file.includes("node_modules/"))
        return { file: decodeURIComponent(file), line: Number(number) };
    }
  return undefined;
}
/** A file, what a reload adds to its address, and the line. */
const PLACE = /^([^?:]+)(?:\?[^:]*)?:(\d+)/;

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
