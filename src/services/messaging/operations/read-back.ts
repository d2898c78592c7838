// Whether a message whose answer was lost is in its session, and what is stored of earlier own messages for that.

import { isDeepStrictEqual } from "node:util";
import { stringifyJson } from "../../../core/exact-json.ts";
import { fieldsOf } from "../../input.ts";
import type { Finding } from "../../operation.ts";
import type { SessionFacts } from "../facts.ts";
import type { SessionEffect } from "../membership/changes.ts";
import type { Session } from "../membership/session.ts";
import { type MessagePage, messagePage } from "../reading/page.ts";

/** A message for a server that accepts only text: the text, and the JSON on its own line. */
export const inText = (text: string | undefined, json: unknown): string =>
  [...(text === undefined ? [] : [text]), stringifyJson(json)].join("\n");

type Sent = Partial<Pick<Session, "sentCursor" | "isSendInDoubt">>;

/** What is stored of a message that is certainly in the session. */
export const sentAs = (message: unknown): Sent => {
  const { data: cursor } = messagePage.shape.nextCursor.safeParse(fieldsOf(message).cursor);
  return typeof cursor === "string" ? { sentCursor: cursor, isSendInDoubt: false } : { isSendInDoubt: true };
};

export const marked = (sessionId: string, sent: Sent): SessionEffect => ({
  sessionId,
  change: (current) => current && { session: { ...current, ...sent }, events: [] },
});

/**
 * The last message that certainly was in the session before our next one is sent: one that was read, or one that we
 * sent. The latter stays even if the server restarted: the page that reveals that may be older.
 * @returns null: there was none; undefined: unknown
 */
export const lastBefore = ({
  cursor,
  sentCursor = null,
  isSendInDoubt,
}: SessionFacts): string | null | undefined => {
  if (isSendInDoubt || cursor === undefined) return undefined;
  if (cursor === null || sentCursor === null) return cursor ?? sentCursor;
  return BigInt(sentCursor) > BigInt(cursor) ? sentCursor : cursor;
};

/**
 * Looks for a message in a page that was read from the start.
 * @param cursor the last one known before the message was sent; null: none; undefined: unknown
 */
export function findOwn(
  page: MessagePage,
  sent: { agentId: string; text: string | undefined; json?: unknown },
  cursor: string | null | undefined,
): Finding<SessionEffect> {
  const own = page.messages.filter(({ agentId }) => agentId === sent.agentId);
  // A server that accepts only text got the JSON in the text.
  const { text, json } = sent;
  const forms = [
    { text, json },
    ...(json === undefined ? [] : [{ text: inText(text, json), json: undefined }]),
  ];
  const isSame = (message: (typeof own)[number]) =>
    forms.some(
      (form) =>
        (message.text ?? undefined) === form.text && isDeepStrictEqual(message.json ?? undefined, form.json),
    );
  const same = own.filter(isSame);

  const last = [page.nextCursor, ...page.messages.map((message) => message.cursor)].reduce(
    (max, value) => (value && BigInt(value) > max ? BigInt(value) : max),
    0n,
  );
  // A restarted server has lost its messages, and counts from the start again.
  const forgot = cursor && last < BigInt(cursor);
  if (cursor === undefined || forgot)
    return same.length > 0 || forgot ? { kind: "cannot_tell" } : { kind: "not_found" };

  const isAfter = (message: { cursor: string }) => cursor === null || BigInt(message.cursor) > BigInt(cursor);
  const found = same.find(isAfter);
  if (found) {
    const { id, cursor: at, expiresAt } = found;
    return { kind: "done", output: { messageId: id, cursor: at, expiresAt: expiresAt ?? null } };
  }
  // The cursor may have moved past it, and the server replaces what looks like a secret with [REDACTED:…].
  const isRedacted = own.some((message) => isAfter(message) && message.text?.includes("[REDACTED:"));
  return { kind: same.length > 0 || isRedacted ? "cannot_tell" : "not_found" };
}
