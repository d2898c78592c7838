// The metrics of Nexus: the calls that the plan allows.

import { type MetricOf, single } from "../../contract/metric.ts";
import type { QuotaStatus } from "./quota.ts";

/** @param quota null: unknown, or Nexus is disabled */
export const nexusMetrics = (quota: () => QuotaStatus | null): readonly MetricOf<number>[] => [
  single(
    "gauge",
    "nexusd_nexus_quota_limit_calls",
    "Calls a day that the plan of the organization allows, as Nexus last reported; no sample without a limit.",
    () => quota()?.limit,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_used_calls",
    "Calls used today, as Nexus last reported, plus the calls of the watches since then.",
    () => quota()?.used,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_remaining_calls",
    "Calls left today; no sample without a limit.",
    () => quota()?.remaining,
  ),
  single(
    "gauge",
    "nexusd_nexus_quota_slowed",
    "1 while the watches run less often to make the quota last the day.",
    () => {
      const now = quota();
      return now && (now.isSlowed ? 1 : 0);
    },
  ),
];
