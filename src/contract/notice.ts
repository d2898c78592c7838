// The text of a notice that a consumer has something to read. It is nexusd's own, without any external character.

import type { Notice } from "./notice-shape.ts";
import type { Pending } from "./store.ts";

/** The syntax of event types. */
export const TYPE = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;

/** Replaces a type that no job could have declared. */
const OTHER = "other";

/** @param of the sink that sends it, and whether it is a test */
export function noticeOf(
  consumer: string,
  pending: Pending,
  of: { sink?: string; isTest?: boolean } = {},
): Notice {
  const types: Record<string, number> = {};
  for (const [type, count] of Object.entries(pending.types)) {
    const name = TYPE.test(type) ? type : OTHER;
    types[name] = (types[name] ?? 0) + count;
  }
  const { count, isMore, oldest, newest } = pending;
  return {
    ...{ consumer, pending: count, isMore, oldest, newest, types },
    ...(of.sink !== undefined && { sink: of.sink }),
    ...(of.isTest && { test: true as const }),
  };
}

const PREFIX = "nexusd.";
const MOST_TYPES = 8;

/** One line for a person or a model, such as `nexusd: 3 events for "me" (41 to 43): 2 messaging.message.received, …`. */
export function noticeText({ consumer, pending, isMore, oldest, newest, types, test }: Notice): string {
  const count = isMore ? `more than ${pending}` : `${pending}`;
  const events = `${count} event${pending === 1 && !isMore ? "" : "s"}`;
  const range = oldest === null ? "" : oldest === newest ? ` (${oldest})` : ` (${oldest} to ${newest})`;
  const kinds = Object.entries(types)
    .sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1))
    .map(([type, many]) => `${many} ${type.startsWith(PREFIX) ? type.slice(PREFIX.length) : type}`);
  const shown = kinds.slice(0, MOST_TYPES).join(", ");
  const rest = kinds.length > MOST_TYPES ? `, ${kinds.length - MOST_TYPES} other types` : "";
  const said = `nexusd: ${events} for the consumer "${consumer}"${range}${shown && `: ${shown}${rest}`}`;
  return test ? `${said}. This is a test.` : said;
}
