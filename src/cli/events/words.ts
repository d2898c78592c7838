// Turns the data of an event into the few facts that a person looks for.

import { stringifyJson } from "../../core/exact-json.ts";

export type Data = Record<string, unknown>;

/**
 * @param name the type without its prefix, such as "job.failed"
 * @returns undefined if it has nothing better than the generic text
 */
export type EventWords = (name: string, data: Data, now: Date) => string | undefined;

/** Those that are present, separated by blanks. */
export const words = (...values: unknown[]) => values.map(text).filter(Boolean).join(" ");

export const record = (value: unknown): Data =>
  // Checked right here; an array is harmless, since only names are looked up.
  typeof value === "object" && value !== null ? (value as Data) : {};

/** Text as it is, anything else as JSON; "" for nothing. */
export const text = (value: unknown): string => {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : stringifyJson(value);
};

/** The local time, with its date unless that is today; anything else unchanged. */
export function timeOf(text: string, now: Date): string {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return text;
  const two = (part: number) => String(part).padStart(2, "0");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  if (time.toDateString() === now.toDateString()) return clock;
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}`;
}
