// The API's views of sessions, and the import of another client's sessions.

import { z } from "zod";
import { afterQuery, epochQuery, limitQuery, nothing, PAGE_LENGTH } from "../../contract/api/fields.ts";
import {
  type ImportedSession,
  type ImportResult,
  importAnswer,
  importBody,
} from "../../contract/api/import.ts";
import { messagesAnswer, type SessionView, sessionsAnswer, sessionView } from "../../contract/api/views.ts";
import { timeAndData } from "../../contract/cloudevent.ts";
import { checkEpoch, refuseAhead } from "../../contract/position.ts";
import type { Store } from "../../contract/store.ts";
import { OperationError } from "../operation.ts";
import { defineRoute, JsonText, loggedText, type Route } from "../route.ts";
import { SHORTEST_ID, sessionsNamed } from "./membership/names.ts";
import { SESSION_KIND, sessionSource } from "./membership/session.ts";

export interface MessagingRouteOptions {
  store: Pick<Store, "epoch" | "readRecord" | "readRecords" | "readEvents">;
  /** When a session was last polled, which is only stored now and then for a quiet one; undefined: unknown. */
  lastPolledAt(sessionId: string): string | null | undefined;
  /** Imports sessions that another client joined. @throws OperationError, StoreError */
  importSessions(sessions: ImportedSession[]): Promise<ImportResult[]>;
}

export function messagingRoutes({ store, lastPolledAt, importSessions }: MessagingRouteOptions): Route[] {
  const asPolled = (session: SessionView): SessionView => ({
    ...session,
    lastPolledAt: lastPolledAt(session.sessionId) ?? session.lastPolledAt,
  });

  const sessions = defineRoute({
    method: "GET",
    path: "/v1/messaging/sessions",
    operationId: "listSessions",
    summary: "All sessions that nexusd is or was a member of",
    tag: "views",
    query: nothing,
    answer: sessionsAnswer,
    problems: [],
    async handle() {
      const records = await store.readRecords(SESSION_KIND);
      const sessions = records.map(({ value }) => asPolled(sessionView.parse(value)));
      const observed = [...records.map(({ updatedAt }) => updatedAt), ...sessions.map((s) => s.lastPolledAt)];
      return { asOf: newest(observed), sessions };
    },
  });

  const messages = defineRoute({
    method: "GET",
    path: "/v1/messaging/sessions/:idOrAlias/messages",
    operationId: "listMessages",
    summary: "The oldest messages of a session after a position in the log",
    tag: "views",
    params: z.strictObject({
      idOrAlias: z.string().describe("A session id, an alias, or at least the first 6 characters of an id"),
    }),
    query: z.strictObject({ after: afterQuery, limit: limitQuery, epoch: epochQuery }),
    answer: messagesAnswer,
    problems: ["session_not_found", "ambiguous_session", "cursor_ahead", "epoch_changed"],
    async handle({ params, query: { epoch, ...query } }) {
      checkEpoch(store, epoch);
      const session = asPolled(await findSession(store, params.idOrAlias));
      const { sessionId } = session;
      const page = await store.readEvents({
        ...query,
        maxLength: PAGE_LENGTH,
        types: ["messaging.message.received"],
        source: sessionSource(sessionId),
      });
      refuseAhead(query.after, page.latest);
      const messages = page.events.map(({ sequence, json }) =>
        loggedText({ sequence, ...timeAndData(json) }),
      );
      return new JsonText(
        `{"asOf":${JSON.stringify(session.lastPolledAt)},"sessionId":${JSON.stringify(sessionId)},` +
          `"messages":[${messages.join(",")}],"next":${page.next},"gap":${JSON.stringify(page.gap)}}`,
      );
    },
  });

  // Keys and servers come from outside, so only an operator may send them.
  const imports = defineRoute({
    method: "POST",
    path: "/v1/messaging/import",
    isForOperators: true,
    operationId: "importSessions",
    summary: "Import sessions that another client joined (operator.sock)",
    description:
      "nexusd polls each of them from then on, under the given agent id and from the given cursor. Sessions that it already knows stay unchanged.",
    tag: "messaging",
    query: nothing,
    body: importBody,
    answer: importAnswer,
    problems: ["service_disabled"],
    handle: async ({ body: { sessions } }) => ({ sessions: await importSessions(sessions) }),
  });

  return [sessions, messages, imports];
}

/**
 * The one session with this name: see `sessionsNamed`.
 * @throws OperationError `session_not_found`, `ambiguous_session`
 */
async function findSession(
  store: Pick<Store, "readRecord" | "readRecords">,
  idOrAlias: string,
): Promise<SessionView> {
  const exact = await store.readRecord(SESSION_KIND, idOrAlias);
  if (exact) return sessionView.parse(exact.value);

  const records = await store.readRecords(SESSION_KIND);
  const sessions = records.map(({ value }) => sessionView.parse(value));
  const matches = sessionsNamed(sessions, idOrAlias);
  const [found, ...others] = matches;
  if (!found)
    throw new OperationError(
      "session_not_found",
      `No session has this id or alias, or an id that begins with it (at least ${SHORTEST_ID} characters). GET /v1/messaging/sessions (nexusctl messaging ls) lists the sessions.`,
    );
  if (others.length > 0)
    throw new OperationError(
      "ambiguous_session",
      `${matches.length} sessions match. Use the whole session id.`,
    );
  return found;
}

/** All times are RFC 3339 UTC with milliseconds, which sort as text. */
const newest = (times: (string | null | undefined)[]): string | null =>
  times.reduce<string | null>((last, time) => (time && (!last || time > last) ? time : last), null);
