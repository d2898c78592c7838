// The metrics of Nexus: the calls that the plan allows.

import { type MetricOf, single } from "../../contract/metric.ts";
import type { QuotaStatus } from "./quota.ts";

/** @param quota null: not known, or Nexus is disabled */
export const nexusMetrics = (quota: () => QuotaStatus | null): readonly MetricOf<number>[] => [
  single(
    "gauge",
    "nexusd_nexus_quota_limit_calls",
    "Calls a day that the organization's plan allows, as Nexus said last; none where it has no limit.",
    () => quota()?.limit,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_used_calls",
    "Calls of the day that are used, as Nexus said last, and what the watches asked for since.",
    () => quota()?.used,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_remaining_calls",
    "Calls of the day that are left; none where the plan has no limit.",
    () => quota()?.remaining,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_slowed",
    "1 while the watches go slower so that the quota lasts the day.",
    () => {
      const now = quota();
      return now && (now.isSlowed ? 1 : 0);
    },
  ),
];
