// The jobs there are: the built-in ones, and those of the configured directory.

import messagingPoll from "../../jobs/messaging-poll.ts";
import nexFollow from "../../jobs/nex-follow.ts";
import nexInsights from "../../jobs/nex-insights.ts";
import nexNotifications from "../../jobs/nex-notifications.ts";
import nexusConversations from "../../jobs/nexus-conversations.ts";
import nexusLowStock from "../../jobs/nexus-low-stock.ts";
import nexusPendingOrders from "../../jobs/nexus-pending-orders.ts";
import nexusShipments from "../../jobs/nexus-shipments.ts";
import retention from "../../jobs/retention.ts";
import type { InvalidFile, Job } from "../scheduler/job.ts";
import { loadJobs, type OwnJobs } from "../scheduler/load-jobs.ts";
import { SERVICE_NAMES } from "../services/list.ts";
import { formatPath } from "./problems.ts";

const BUILT_IN: Job[] = [
  messagingPoll,
  nexFollow,
  nexInsights,
  nexNotifications,
  nexusLowStock,
  nexusPendingOrders,
  nexusConversations,
  nexusShipments,
  retention,
];

export interface FoundJobs {
  jobs: Job[];
  invalid: readonly InvalidFile[];
  /** Those of the directory; undefined: there is none. */
  own: OwnJobs | undefined;
}

/** @param before what was found last: files that have not changed since are not loaded anew */
export async function findJobs(directory: string | undefined, before?: FoundJobs): Promise<FoundJobs> {
  if (directory === undefined) return { jobs: BUILT_IN, invalid: [], own: undefined };
  const known = { jobs: BUILT_IN.map(({ name }) => name), services: SERVICE_NAMES };
  const own = await loadJobs(directory, known, { before: before?.own });
  return { jobs: [...BUILT_IN, ...own.jobs], invalid: own.invalid, own };
}

/** The tables of the jobs that were loaded anew, came or went between the two, as TOML paths. */
export function reloadedJobs(before: FoundJobs, after: FoundJobs): string[] {
  if (before.own?.fingerprint === after.own?.fingerprint) return [];
  const names = [before, after].flatMap(({ own }) => own?.jobs.map(({ name }) => name) ?? []);
  return [...new Set(names)].map((name) => formatPath(["jobs", name]));
}
