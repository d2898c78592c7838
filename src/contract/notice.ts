// A notice: that a consumer has something to read. Words and numbers of nexusd's own, never a character from outside.

import { z } from "zod";
import { CONSUMER_NAME } from "./consumer-name.ts";
import type { Pending } from "./store.ts";

const TYPE = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/;

/** What becomes of a type that no job could have declared. */
const OTHER = "other";

export const notice = z
  .strictObject({
    consumer: z.string().regex(CONSUMER_NAME),
    pending: z.int().min(0).describe("How many events it has not acknowledged, counted up to 1000"),
    isMore: z.boolean().describe("Whether there are more than `pending`"),
    oldest: z.int().nullable().describe("The first pending sequence; null: nothing is pending"),
    newest: z.int().nullable(),
    types: z
      .record(z.string().regex(TYPE), z.int().min(1))
      .describe("How many of the counted events have each type"),
    sink: z
      .string()
      .regex(CONSUMER_NAME)
      .optional()
      .describe("The sink that sends the notice, if there is one"),
    test: z.literal(true).optional().describe("A test requested by a person"),
  })
  .meta({
    id: "Notice",
    description: "Says that a consumer has something to read; only the log says what",
  });

export type Notice = z.output<typeof notice>;

/** @param of the sink that gives it, and whether it is a test */
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
