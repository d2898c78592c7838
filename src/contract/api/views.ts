// The local views: the latest data of the services, answered from the store.

import { z } from "zod";
import { stockItem as lowStockItem, pendingOrder as pendingOrderData } from "../events/nexus.ts";
import { eventPage } from "./events.ts";

const asOf = z.string().nullable().describe("When the newest observation behind this was made; null: never");

/** The data of an event, with its position in the log. */
const logged = z.looseObject({ sequence: z.int(), time: z.string() });

/** An allow-list: keys are secrets, and new fields of a session's record must not leak. */
export const sessionView = z.object({
  sessionId: z.string(),
  alias: z.string().nullable(),
  baseUrl: z.string(),
  agentId: z.string(),
  /**
   * `joining`: the join was sent, its answer is not on disk; `expired`: its server no longer knows it; `lost`: no
   * longer a member, see `reason`; `left`: we left it.
   */
  state: z.enum(["new", "joining", "joined", "expired", "lost", "left"]),
  /** Why it has ended, or what is wrong with an active one. */
  reason: z.object({ code: z.string(), message: z.string() }).nullable(),
  /** The last cursor committed; null: read from the start. */
  cursor: z.string().nullable(),
  /** Counts the detected restarts of the server: cursors are comparable only within one generation. */
  generation: z.number(),
  ttlMs: z.number().nullable(),
  expiresAt: z.string().nullable(),
  lastPolledAt: z.string().nullable(),
  joinedAt: z.string().nullable(),
  /** Whether it was created under our agent id: then it cannot be left. */
  isCreator: z.boolean().default(false),
  /** The agents in it at the last check; null: never checked. */
  members: z.array(z.string()).nullable().default(null),
});

const stockItem = lowStockItem.extend({ lowSince: z.string() });
// An amount that does not fit a double exactly comes out of the store as a bigint.
const pendingOrder = pendingOrderData.extend({
  totalAmount: z.union([pendingOrderData.shape.totalAmount, z.bigint()]),
  overdue: z.boolean(),
});

export const sessionsAnswer = z.object({ asOf, sessions: z.array(sessionView) });
export const messagesAnswer = z.object({
  ...{ asOf, sessionId: z.string(), messages: z.array(logged) },
  ...eventPage.pick({ next: true, gap: true }).shape,
});
export const insightsAnswer = z.object({
  ...{ asOf, insights: z.array(logged) },
  isCut: z
    .boolean()
    .describe(
      "Whether the page is shorter than `limit` because the insights are long: use `until` for older ones",
    ),
});
export const lowStockAnswer = z.object({ asOf, items: z.array(stockItem) });
export const pendingOrdersAnswer = z.object({ asOf, orders: z.array(pendingOrder) });

export type LoggedView = z.output<typeof logged>;
export type SessionView = z.output<typeof sessionView>;
export type SessionsView = z.output<typeof sessionsAnswer>;
export type MessagesView = z.output<typeof messagesAnswer>;
export type InsightsView = z.output<typeof insightsAnswer>;
export type LowStockView = z.output<typeof lowStockAnswer>;
export type PendingOrdersView = z.output<typeof pendingOrdersAnswer>;
