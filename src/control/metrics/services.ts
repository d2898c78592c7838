// The services: their states, their requests and budgets, and how late their data arrives.

import type { ServiceStatus } from "../../contract/api/status.ts";
import { keysOf, oneHot, type Sample, seconds } from "../../contract/metric.ts";
import type { Share } from "../../http/budget.ts";
import { REQUEST_OUTCOMES } from "../../http/outcome.ts";
import { PRIORITIES } from "../../http/shares.ts";
import { SERVICE_NAMES } from "../../services/list.ts";
import type { BudgetFigures, Metric } from "./metric.ts";

const SERVICE_STATES = keysOf<ServiceStatus["state"]>({
  ok: true,
  degraded: true,
  down: true,
  disabled: true,
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
    help: "1 for the current state of the service.",
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
    help: "Requests to the service, including polls, by outcome.",
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
    "The most requests that nexusd sends to the server in 60 s; if the server limits reads of texts, texts.",
    ({ limit }) => limit,
  ),
  ofBudgets(
    "nexusd_budget_reserve_requests",
    "The part of the limit that polls and watches leave for people and renewals.",
    ({ reserve }) => reserve,
  ),
  ofBudgets("nexusd_budget_used_requests", "Requests in the last 60 s.", ({ used }) => used),
  ofBudgets(
    "nexusd_budget_waiting_requests",
    "Requests that wait for the request budget.",
    ({ waiting }) => waiting,
  ),
  ofShares(
    "gauge",
    "nexusd_budget_class_used_requests",
    "Requests in the last 60 s, by who they were for; requests from before the start are not included.",
    ({ used }) => used,
  ),
  ofShares(
    "gauge",
    "nexusd_budget_class_waiting_requests",
    "Requests that wait for the request budget, by who they are for.",
    ({ waiting }) => waiting,
  ),
  ofShares(
    "counter",
    "nexusd_budget_class_waited_seconds_total",
    "Total time that requests have waited for the request budget, by who they were for.",
    ({ waitedMs }) => waitedMs / 1000,
  ),
  ofBudgets(
    "nexusd_budget_cooldown_seconds",
    "How much longer nexusd sends nothing to the server, at its request; 0: no such request.",
    ({ quietMs }) => quietMs / 1000,
  ),
];
