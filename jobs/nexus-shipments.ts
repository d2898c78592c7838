// Watches the shipments of Nexus: one event when one begins, moves or ends, and one for each entry of its history.

import { shipmentWatch } from "../src/services/nexus/shipments.ts";
import { watchJob } from "../src/services/nexus/watch-job.ts";

export default watchJob(shipmentWatch, ({ config }) => config.jobs["nexus-shipments"]);
