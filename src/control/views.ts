// The local views: what the services last said, answered without a request to any of them.

import { z } from "zod";
import {
  type LoggedView,
  lowStockAnswer,
  messagesAnswer,
  pendingOrdersAnswer,
  type SessionView,
  sessionsAnswer,
  sessionView,
} from "../contract/api/views.ts";
import type { StoredEvent } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import { parseJson } from "../core/exact-json.ts";
import { SESSION_KIND, sessionSource } from "../services/messaging/membership/session.ts";
import type { App } from "./app.ts";
import { checkEpoch, refuseAhead } from "./events.ts";
import { afterQuery, epochQuery, limitQuery, nothing, PAGE_LENGTH } from "./fields.ts";
import { problems } from "./problem.ts";
import type { RouteOptions } from "./routes.ts";
import { findSession } from "./sessions.ts";

const tags = ["views"];
export function views(app: App, { context: { store, lastPolledAt } }: RouteOptions): void {
  const asPolled = (session: SessionView): SessionView => ({
    ...session,
    lastPolledAt: lastPolledAt(session.sessionId) ?? session.lastPolledAt,
  });

  app.get(
    "/v1/messaging/sessions",
    {
      schema: {
        operationId: "listSessions",
        summary: "The sessions that nexusd is or was a member of",
        tags,
        querystring: nothing,
        response: { 200: sessionsAnswer, ...problems("invalid_request") },
      },
    },
    async () => {
      const records = await store.readRecords(SESSION_KIND);
      const sessions = records.map(({ value }) => asPolled(sessionView.parse(value)));
      const observed = [...records.map(({ updatedAt }) => updatedAt), ...sessions.map((s) => s.lastPolledAt)];
      return { asOf: newest(observed), sessions };
    },
  );

  app.get(
    "/v1/messaging/sessions/:idOrAlias/messages",
    {
      schema: {
        operationId: "listMessages",
        summary: "The oldest messages of a session after a position in the log",
        tags,
        params: z.strictObject({
          idOrAlias: z
            .string()
            .describe("A session id, an alias, or the first 6 or more characters of an id"),
        }),
        querystring: z.strictObject({ after: afterQuery, limit: limitQuery, epoch: epochQuery }),
        response: {
          200: messagesAnswer,
          ...problems(
            ...(["invalid_request", "session_not_found", "ambiguous_session"] as const),
            ...(["cursor_ahead", "epoch_changed"] as const),
          ),
        },
      },
    },
    async (request) => {
      const { epoch, ...query } = request.query;
      checkEpoch(store, epoch);
      const session = asPolled(await findSession(store, request.params.idOrAlias));
      const { sessionId } = session;
      const page = await store.readEvents({
        ...query,
        maxLength: PAGE_LENGTH,
        types: ["messaging.message.received"],
        source: sessionSource(sessionId),
      });
      refuseAhead(query.after, page.latest);
      return {
        asOf: session.lastPolledAt,
        sessionId,
        messages: page.events.map(unwrap),
        next: page.next,
        gap: page.gap,
      };
    },
  );

  app.get(
    "/v1/nexus/stock/low",
    {
      schema: {
        operationId: "listLowStock",
        summary: "The items whose stock is low",
        tags,
        querystring: nothing,
        response: { 200: lowStockAnswer, ...problems("invalid_request") },
      },
    },
    async () => {
      const [records, asOf] = await Promise.all([
        store.readRecords("nexus.stock.low"),
        observedAt(store, "nexus-low-stock"),
      ]);
      return { asOf, items: records.map(({ value }) => lowStockAnswer.shape.items.element.parse(value)) };
    },
  );

  app.get(
    "/v1/nexus/orders/pending",
    {
      schema: {
        operationId: "listPendingOrders",
        summary: "The orders that are pending",
        tags,
        querystring: nothing,
        response: { 200: pendingOrdersAnswer, ...problems("invalid_request") },
      },
    },
    async () => {
      const [records, asOf] = await Promise.all([
        store.readRecords("nexus.order.pending"),
        observedAt(store, "nexus-pending-orders"),
      ]);
      return {
        asOf,
        orders: records.map(({ value }) => pendingOrdersAnswer.shape.orders.element.parse(value)),
      };
    },
  );
}

export const observedAt = async (store: Store, source: string): Promise<string | null> =>
  (await store.readCursor(source))?.updatedAt ?? null;

/** All times are RFC 3339 UTC with milliseconds, which sort as text. */
const newest = (times: (string | null | undefined)[]): string | null =>
  times.reduce<string | null>((last, time) => (time && (!last || time > last) ? time : last), null);

const stored = z.object({ time: z.string(), data: z.looseObject({}) });

function unwrap({ sequence, json }: StoredEvent): LoggedView {
  const { time, data } = stored.parse(parseJson(json));
  return { sequence, time, ...data };
}
