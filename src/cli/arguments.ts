// Arguments and options as several commands read them.

import { InvalidArgumentError } from "commander";

/** A whole number, 0 or more. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  return value;
}

/** A whole number, 1 or more. */
export function count(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("It must be 1 or more.");
  return value;
}

/** An option that may be given several times, or once with commas. */
export function eventTypes(text: string, before: string[] = []): string[] {
  const types = text.split(",").map((type) => type.trim());
  if (types.some((type) => !/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$/.test(type)))
    throw new InvalidArgumentError('It must be an event type, or a pattern such as "messaging.*".');
  return [...before, ...types];
}
