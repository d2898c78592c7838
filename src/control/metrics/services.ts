// The three services: their states, their requests and budgets, and how late what they say arrives.

import type { ServiceStatus } from "../../contract/api/status.ts";
import type { Share } from "../../http/budget.ts";
import { REQUEST_OUTCOMES } from "../../http/outcome.ts";
import { PRIORITIES } from "../../http/shares.ts";
import { SERVICE_NAMES } from "../../services/list.ts";
import type { Session } from "../../services/messaging/session.ts";
import type { StreamStateName } from "../../services/nex/stream-state.ts";
import {
  ageSeconds,
  type BudgetFigures,
  keysOf,
  type Metric,
  oneHot,
  type Sample,
  seconds,
  single,
} from "./metric.ts";

const SERVICE_STATES = keysOf<ServiceStatus["state"]>({
  ok: true,
  degraded: true,
  down: true,
  disabled: true,
});
const STREAM_STATES = keysOf<StreamStateName>({
  ...{ connecting: true, live: true, recovering: true, polling: true, refused: true },
});
const SESSION_STATES = keysOf<Session["state"]>({
  ...{ new: true, joining: true, joined: true, expired: true, lost: true, left: true },
});

const ofBudgets = (name: string, help: string, read: (budget: BudgetFigures) => number): Metric => ({
  ...{ type: "gauge", name, help, labels: ["service", "server"] },
  samples: ({ budgets }) =>
    budgets.map((budget) => {
      const { service, server } = budget;
      return { value: read(budget), labels: { service, server } };
    }),
});

const ofShares = (
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (share: Share) => number,
): Metric => ({
  ...{ type, name, help, labels: ["service", "server", "class"] },
  samples: ({ budgets }) =>
    budgets.flatMap(({ service, server, shares }) =>
      PRIORITIES.map((priority) => ({
        value: read(shares[priority]),
        labels: { service, server, class: priority },
      })),
    ),
});

export const serviceMetrics: readonly Metric[] = [
  {
    type: "gauge",
    name: "nexusd_service_state",
    help: "1 for the state that the service is in.",
    labels: ["service", "state"],
    samples: ({ services }) =>
      SERVICE_NAMES.flatMap((service) => oneHot(SERVICE_STATES, services[service].state, { service })),
  },
  {
    type: "gauge",
    name: "nexusd_service_last_success_timestamp_seconds",
    help: "When a job of the service last succeeded, in seconds since 1970; none before the first success.",
    labels: ["service"],
    samples: ({ services }) =>
      SERVICE_NAMES.flatMap((service): Sample[] => {
        const value = seconds(services[service].lastSuccessAt);
        return value === undefined ? [] : [{ value, labels: { service } }];
      }),
  },
  {
    type: "counter",
    name: "nexusd_http_requests_total",
    help: "Requests to the service, polls among them, by how they ended.",
    labels: ["service", "outcome"],
    samples: ({ counts }) =>
      SERVICE_NAMES.flatMap((service) =>
        REQUEST_OUTCOMES.map((outcome) => ({
          value: counts.requests[service][outcome],
          labels: { service, outcome },
        })),
      ),
  },
  ofBudgets(
    "nexusd_budget_limit_requests",
    "Requests that nexusd sends to the server in 60 s at most; for nex, texts that it is given to read.",
    ({ limit }) => limit,
  ),
  ofBudgets(
    "nexusd_budget_reserve_requests",
    "The part of the limit that polls and watches leave to people and renewals.",
    ({ reserve }) => reserve,
  ),
  ofBudgets("nexusd_budget_used_requests", "Requests of the last 60 s.", ({ used }) => used),
  ofBudgets(
    "nexusd_budget_waiting_requests",
    "Requests that wait for a place in the budget.",
    ({ waiting }) => waiting,
  ),
  ofShares(
    "gauge",
    "nexusd_budget_class_used_requests",
    "Requests of the last 60 s by on whose behalf they were; those before the start are in none.",
    ({ used }) => used,
  ),
  ofShares(
    "gauge",
    "nexusd_budget_class_waiting_requests",
    "Requests that wait for a place in the budget, by on whose behalf.",
    ({ waiting }) => waiting,
  ),
  ofShares(
    "counter",
    "nexusd_budget_class_waited_seconds_total",
    "Time that requests have waited for a place in the budget, all together, by on whose behalf.",
    ({ waitedMs }) => waitedMs / 1000,
  ),
  ofBudgets(
    "nexusd_budget_cooldown_seconds",
    "How long nothing is sent to the server from now on, because it asked for that; 0: it did not.",
    ({ quietMs }) => quietMs / 1000,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_limit_calls",
    "Calls a day that the organization's plan allows, as Nexus said last; none where it has no limit.",
    ({ quota }) => quota?.limit,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_used_calls",
    "Calls of the day that are used, as Nexus said last, and what the watches asked for since.",
    ({ quota }) => quota?.used,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_remaining_calls",
    "Calls of the day that are left; none where the plan has no limit.",
    ({ quota }) => quota?.remaining,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_slowed",
    "1 while the watches go slower so that the quota lasts the day.",
    ({ quota }) => quota && (quota.isSlowed ? 1 : 0),
  ),
  {
    type: "gauge",
    name: "nexusd_nex_stream_state",
    help: "1 for the state that the insight stream is in; none while nex is disabled.",
    labels: ["state"],
    samples: ({ stream }) => (stream === null ? [] : oneHot(STREAM_STATES, stream.state)),
  },
  single(
    "gauge",
    "nexusd_nex_covered_until_timestamp_seconds",
    "What Nex told before is in the log, or in a reported gap; by Nex's clock, in seconds since 1970.",
    ({ stream }) => stream && seconds(stream.coveredUntil),
  ),
  {
    type: "histogram",
    name: "nexusd_nex_insight_delay_seconds",
    help: "From the making of an insight to its commit, of those that came live; by Nex's clock, as its answers show it: up to a second less than it was.",
    labels: [],
    histogram: ({ counts }) => counts.insightDelays,
  },
  {
    type: "gauge",
    name: "nexusd_messaging_sessions",
    help: "Sessions of NexusMessaging by their state.",
    labels: ["state"],
    samples({ sessions }) {
      const counts = new Map(SESSION_STATES.map((state) => [state, 0]));
      for (const {
        session: { state },
      } of sessions)
        counts.set(state, (counts.get(state) ?? 0) + 1);
      return [...counts].map(([state, value]) => ({ value, labels: { state } }));
    },
  },
  {
    type: "histogram",
    name: "nexusd_messaging_poll_gap_seconds",
    help: "Between two polls of a session: no message waited longer for the poll that brought it.",
    labels: [],
    histogram: ({ counts }) => counts.pollGaps,
  },
  single(
    "gauge",
    "nexusd_messaging_poll_age_max_seconds",
    "Since the last poll, or else the joining, of the joined session that has waited longest; 0: none is joined, or messaging is disabled.",
    ({ sessions, now }) =>
      sessions.reduce((oldest, { session: { state, joinedAt }, polledAtMs }) => {
        if (state !== "joined") return oldest;
        const age = Number.isNaN(polledAtMs) ? ageSeconds(joinedAt, now) : (now - polledAtMs) / 1000;
        return Math.max(oldest, age);
      }, 0),
  ),
];
