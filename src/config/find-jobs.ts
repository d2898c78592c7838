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
import type { Job } from "../scheduler/job.ts";
import { loadJobs } from "../scheduler/load-jobs.ts";
import { SERVICE_NAMES } from "../services/list.ts";

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

export async function findJobs(
  directory: string | undefined,
): Promise<{ jobs: Job[]; invalid: { file: string; message: string }[] }> {
  if (directory === undefined) return { jobs: BUILT_IN, invalid: [] };
  const own = await loadJobs(directory, { jobs: BUILT_IN.map(({ name }) => name), services: SERVICE_NAMES });
  return { jobs: [...BUILT_IN, ...own.jobs], invalid: own.problems };
}
