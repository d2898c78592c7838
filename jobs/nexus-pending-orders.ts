// Watches the pending orders of Nexus: one event when an order comes in, stays too long, or moves on.

import { orderWatch } from "../src/services/nexus/orders.ts";
import { watchJob } from "../src/services/nexus/watch-job.ts";

export default watchJob(orderWatch, ({ config }) => config.jobs["nexus-pending-orders"]);
