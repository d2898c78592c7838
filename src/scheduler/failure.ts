// What a log may say about anything thrown: a stable code, and a message without text from outside.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Failure } from "../contract/new-event.ts";
import { StoreError } from "../contract/store.ts";
import { HttpError } from "../http/errors.ts";
import { JobError } from "./job.ts";
import { ScheduleError } from "./schedule.ts";

// Their messages are nexusd's own, and safe.
const OWN_ERRORS = [HttpError, StoreError, JobError, ScheduleError];
const LONGEST_MESSAGE = 500;
const LONGEST_CODE = 64;

/**
 * Never throws, whatever was thrown. The code is the error's own, else its name; the message is one short line.
 * @param directory of own jobs: if one of their lines is to blame, the message ends with it
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
    return { code: "unreadable_error", message: "an unreadable error was thrown" };
  }
}

/** " (report.ts:12)", from the first line of the stack that is in the directory. */
function at({ stack = "" }: Error, directory: string): string {
  const place = placeIn(stack, directory);
  return place ? ` (${place.file}:${place.line})` : "";
}

/**
 * The first file of the directory in a stack, relative to it, and its line. Skips node_modules, which is other people's
 * code.
 */
export function placeIn(stack: string, directory: string): { file: string; line: number } | undefined {
  const path = `${resolve(directory)}/`;
  // ES modules appear as URLs, CommonJS as paths.
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
/** A file, the suffix that a reload adds to its URL, and the line. */
const PLACE = /^([^?:]+)(?:\?[^:]*)?:(\d+)/;

/** The wait that the service asked for (`Retry-After`), in milliseconds; 0 if none. Never throws. */
export function retryAfterOf(thrown: unknown): number {
  try {
    return (thrown instanceof HttpError && thrown.retryAfterMs) || 0;
  } catch {
    return 0;
  }
}

/** The error itself, for a log line, unless reading it throws, as a logger would. */
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

// \p{C}: control characters, including those that change the direction of text.
const oneLine = (text: string) =>
  text
    .slice(0, 4 * LONGEST_MESSAGE)
    .replace(/[\p{C}\s]+/gu, " ")
    .trim()
    .slice(0, LONGEST_MESSAGE);
