// Arguments and options that several commands share.

import { InvalidArgumentError, Option } from "commander";
import { CONSUMER_NAME, NO_CONSUMER_NAME } from "../contract/consumer-name.ts";
import { unknownType } from "../contract/event-names.ts";
import { WRITE_STATES, type WriteState } from "../contract/writes.ts";
import { parseDuration } from "../core/duration.ts";

/** A whole number, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("It must be an integer of at least 0.");
  return value;
}

/** A whole number, 1 or more. */
export function count(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("It must be at least 1.");
  return value;
}

/** `--last N`: a starting point and a limit in one. */
export const lastOption = () =>
  new Option("--last <count>", "only this many of the newest; with --follow, before new ones")
    .argParser(count)
    .conflicts(["after", "limit"]);

/** An option that may be repeated, or given once with commas. */
export function eventTypes(text: string, before: string[] = []): string[] {
  const types = text.split(",").map((type) => type.trim());
  if (types.some((type) => !/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$/.test(type)))
    throw new InvalidArgumentError('It must be an event type, or a pattern such as "messaging.*".');
  for (const type of types) {
    const problem = unknownType(type);
    if (problem !== undefined) throw new InvalidArgumentError(`"${type}" ${problem}`);
  }
  return [...before, ...types];
}

/** A duration such as "30s", unchanged: the daemon parses it. */
export function duration(text: string): string {
  if (parseDuration(text) === undefined)
    throw new InvalidArgumentError('It must be a duration such as "30s".');
  return text;
}

/** A time for the daemon, from a date (its start in UTC) or from how long ago it was, such as "24h". */
export function moment(text: string): string {
  const agoMs = parseDuration(text);
  if (agoMs !== undefined) return new Date(Date.now() - agoMs).toISOString();
  if (!/^\d{4}-\d{2}-\d{2}/.test(text))
    throw new InvalidArgumentError(
      'It must be a time, a date such as 2026-03-01, or how long ago, such as "24h".',
    );
  return text.length === 10 ? `${text}T00:00:00Z` : text;
}

/** States of writes, repeated or with commas. */
export function writeStates(text: string, before: WriteState[] = []): WriteState[] {
  const known: readonly string[] = WRITE_STATES;
  const states = text.split(",").map((state) => state.trim());
  if (!states.every((state): state is WriteState => known.includes(state)))
    throw new InvalidArgumentError(`It must be one of ${known.join(", ")}.`);
  return [...before, ...states];
}

export function consumerName(text: string): string {
  if (CONSUMER_NAME.test(text)) return text;
  throw new InvalidArgumentError(`It ${NO_CONSUMER_NAME}.`);
}
