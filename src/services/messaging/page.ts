// A page of messages, as any server may give it. What a message carries is its sender's: it must not stop the others.

import { z } from "zod";
import type { HttpResponse } from "../../http/client.ts";
import { parseJson } from "../../http/json.ts";

/** A decimal string; compared as BigInt, stored as text. */
const cursor = z
  .union([z.string().regex(/^\d+$/), z.int().nonnegative(), z.bigint()])
  .transform((value) => String(value));
/** Deeper than anybody means it, and as deep as everything here can walk. */
const DEEPEST = 500;
const TOO_DEEP = "nested too deeply";

const message = z.looseObject({
  id: z.union([z.string(), z.int(), z.bigint()]).transform((value) => String(value)),
  agentId: z.string().nullish(),
  text: z.string().nullish().catch(undefined),
  json: z.unknown().optional(),
  /** Why it comes without its JSON. */
  jsonOmitted: z.literal(TOO_DEEP).optional().catch(undefined),
  cursor,
  verified: z.boolean().nullish().catch(undefined),
  expiresAt: z.string().nullish().catch(undefined),
});
/** An object with more in it, or the name alone. */
const member = z
  .union([z.string(), z.looseObject({ agentId: z.string() })])
  .transform((value) => (typeof value === "string" ? { agentId: value } : value));
export const messagePage = z.looseObject({
  messages: z.array(message),
  nextCursor: cursor.nullish(),
  members: z.array(member).nullish().catch(undefined),
  ctrl: z.looseObject({ challenge: z.unknown().optional() }).nullish().catch(undefined),
});

export type Message = z.output<typeof message>;
export type MessagePage = z.output<typeof messagePage>;

/** The body of a page, in which JSON that is nested too deeply is left out. */
export function parsePage(response: Pick<HttpResponse, "json" | "text">): unknown {
  try {
    return withoutDepths(response.json());
  } catch (error) {
    // Only what is deep and has large integers is JSON, and cannot be read.
    const page = shallow(response.text());
    if (page === undefined) throw error;
    return page;
  }
}

function withoutDepths(page: unknown): unknown {
  const messages =
    typeof page === "object" && page !== null && "messages" in page ? page.messages : undefined;
  if (!Array.isArray(messages)) return page;
  for (const message of messages) {
    if (typeof message?.json !== "object" || !isDeep(message.json)) continue;
    message.json = undefined;
    message.jsonOmitted = TOO_DEEP;
  }
  return page;
}

/** Without recursion. */
function isDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
  }
  return false;
}

const INTEGER = /^-?\d{16,}$/;
// Strings whole, so that the digits in them stay as they are.
const STRING_OR_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
const MARKED = /\{"\\u0000":"(-?\d+)"\}/g;

/** Exact integers need a walk, which what is too deep does not survive: they are hidden until it is taken out. */
function shallow(text: string): unknown {
  const marked = text.replace(STRING_OR_NUMBER, (each) =>
    INTEGER.test(each) ? `{"\\u0000":"${each}"}` : each,
  );
  try {
    return parseJson(JSON.stringify(withoutDepths(JSON.parse(marked))).replace(MARKED, "$1"));
  } catch {
    return undefined;
  }
}
