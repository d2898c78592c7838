// Watches the stock of Nexus: one event when an item in a warehouse runs low, one when it has recovered.

import { stockWatch } from "../src/services/nexus/stock.ts";
import { watchJob } from "../src/services/nexus/watch-job.ts";

export default watchJob(stockWatch, ({ config }) => config.jobs["nexus-low-stock"]);
