// A page of messages, as any server may return it. A message's content is its sender's: it must not stop the others.

import { z } from "zod";
import type { HttpResponse } from "../../../http/client.ts";
import { MOST_OF_PAGE, OMITTED, withoutExcess } from "./page-excess.ts";

/** A decimal string; compared as BigInt, stored as text. */
const cursor = z
  .union([z.string().regex(/^\d+$/), z.int().nonnegative(), z.bigint()])
  .transform((value) => String(value));
const message = z.looseObject({
  id: z.union([z.string(), z.int(), z.bigint()]).transform((value) => String(value)),
  agentId: z.string().nullish(),
  text: z.string().nullish().catch(undefined),
  json: z.unknown().optional(),
  /** Why it comes without its JSON. */
  jsonOmitted: z.enum(OMITTED).optional().catch(undefined),
  cursor,
  verified: z.boolean().nullish().catch(undefined),
  expiresAt: z.string().nullish().catch(undefined),
});
/** An object with further fields, or just the name. */
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

/** The body of a page, without JSON that is too large to parse. */
export const parsePage = (response: Pick<HttpResponse, "json">): unknown =>
  response.json({ most: MOST_OF_PAGE, edit: withoutExcess });
