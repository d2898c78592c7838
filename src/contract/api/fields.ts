// Fields that requests share, each with its limits and its error message.

import { z } from "zod";
import { parseDuration } from "../../core/duration.ts";
import { CONSUMER_NAME, NO_CONSUMER_NAME } from "../consumer-name.ts";

const LONGEST_WAIT_MS = 60_000;

/** Digits become a number; anything else is left unchanged, for the next schema to refuse. */
const fromDigits = (value: unknown) =>
  typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;

export const integer = (min: number, max: number) => {
  const error = `must be an integer from ${min} to ${max}`;
  return z.preprocess(fromDigits, z.int({ error }).min(min, { error }).max(max, { error }));
};

/** A position in the log, in a query or a header. */
export const sequence = integer(0, Number.MAX_SAFE_INTEGER);

/** A position in the log, in a body. Also as a string, as in an event. */
export const position = z.union(
  [
    // Aborting, so that the union's own message is used, not that of an option that failed in a single check.
    z.int().min(0, { abort: true }),
    z
      .string()
      .regex(/^\d{1,16}$/, { abort: true })
      .transform(Number)
      .pipe(z.int()),
  ],
  { error: "must be a sequence of the log, an integer from 0" },
);

export const afterQuery = sequence.default(0).describe("The last sequence already known; default 0");
/** The length limit of a page: a thousand of the longest texts would need more memory than nexusd may use. */
export const PAGE_LENGTH = 2 ** 21;
export const limitQuery = integer(1, 1000)
  .default(100)
  .describe("At most this many, default 100; a page ends early when it reaches 2 MiB");

/** For a list with short elements. */
export const pageLimit = integer(1, 1000).default(100).describe("At most this many, default 100");

export const waitQuery = z
  .string({ error: 'must be a duration such as "30s"' })
  .default("0s")
  .transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms <= LONGEST_WAIT_MS) return ms;
    context.addIssue({ code: "custom", message: 'must be a duration up to 60s, such as "30s" or "500ms"' });
    return z.NEVER;
  })
  .describe("How long to wait for an event when there is none yet, up to 60s");

const typeError = 'must be an event type such as "nexus.stock.low", or a pattern such as "messaging.*"';
export const typePattern = z
  .string({ error: typeError })
  .max(128, { error: "must have at most 128 characters" })
  .regex(/^(\*|[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?)$/, { error: typeError, abort: true });

const typesError = "must be an array of 1 to 100 event types";
export const typePatterns = z
  .array(typePattern, { error: typesError })
  .min(1, { error: typesError })
  .max(100, { error: typesError });

/** In a query: comma separated, repeated, or both. */
export const typeQuery = z
  .preprocess(
    (value) => (value === undefined ? value : [value].flat().flatMap((part) => String(part).split(","))),
    typePatterns.optional(),
  )
  .describe("Event types or patterns, comma separated or repeated");

export const epochQuery = z
  .string()
  .optional()
  .describe("The log that the position belongs to; for another log the answer is 409 `epoch_changed`");

const timestampError = "must be an RFC 3339 time such as 2026-03-01T12:00:00Z";

/** RFC 3339 with any offset, in UTC once parsed. */
export const timestamp = z.string({ error: timestampError }).transform((text, context) => {
  // A "+" that was not escaped in the query arrives as a space.
  const ms = Date.parse(text.replace(" ", "+"));
  if (z.iso.datetime({ offset: true }).safeParse(text.replace(" ", "+")).success && Number.isFinite(ms))
    return new Date(ms).toISOString();
  context.addIssue({ code: "custom", message: timestampError });
  return z.NEVER;
});

export const consumerName = z.string().regex(CONSUMER_NAME, { error: NO_CONSUMER_NAME });

/** The name of an operation, in a body; the catalogue decides whether it exists. */
export const operationName = z.string({ error: "must be the name of an operation" }).max(128);

/** The input of an operation, which validates it itself. */
export const inputField = z
  .unknown()
  .default({})
  .describe("As the operation's `inputSchema` has it; default {}");

/** Text for a person, from 1 to `most` characters. */
export const text = (most: number) => {
  const error = `must be a text of 1 to ${most} characters`;
  return z.string({ error }).max(most, { error }).regex(/\S/, { error });
};

const SHORTEST_TTL_MS = 60_000;
const LONGEST_TTL_MS = 30 * 86_400_000;

/** How long a proposal is valid, in ms once parsed. */
export const ttlField = z
  .string({ error: 'must be a duration such as "2h"' })
  .transform((given, context) => {
    const ms = parseDuration(given);
    if (ms !== undefined && ms >= SHORTEST_TTL_MS && ms <= LONGEST_TTL_MS) return ms;
    context.addIssue({ code: "custom", message: 'must be a duration from 1m to 30d, such as "2h"' });
    return z.NEVER;
  })
  .describe("How long the proposal stays open, 1m to 30d; default: `[approvals] ttl`");

/** Any text: what is not the id of a write is an unknown write, not another kind of error. */
export const writeId = z.string();

/** For routes without parameters: any parameter is refused, not ignored. */
export const nothing = z.strictObject({});
