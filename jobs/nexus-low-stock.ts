// Watches the stock of Nexus: one event when an item in a warehouse runs low, one when it has recovered.

import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import { diffStock, LOW_STOCK_KIND, lowStockRecord, readUpTo } from "../src/services/nexus/stock.ts";
import { readWatchedSet } from "../src/services/nexus/watch.ts";

const NAME = "nexus-low-stock";

export default defineJob({
  name: NAME,
  description: "Compares the stock of Nexus with its thresholds.",
  kind: "cron",
  service: "nexus",
  enabled: (config) => config.nexus.enabled && config.jobs[NAME].enabled,
  schedule: (config) => config.jobs[NAME].schedule,
  catchUp: "once",
  run,
});

async function run({ config, store, services, clock, log, signal }: JobContext): Promise<void> {
  const settings = config.jobs[NAME];
  const stored = new Map(
    (await store.readRecords(LOW_STOCK_KIND)).map(({ key, value }) => [key, lowStockRecord.parse(value)]),
  );
  const reading = await readWatchedSet(
    services.nexus,
    {
      table: "stock_balances",
      // All of items: some databases have no items.name, and naming it would fail the whole query.
      select: "id,item_id,warehouse_id,available_quantity,items(*)",
      filter: { column: "available_quantity", operator: "lte", value: readUpTo(settings) },
    },
    stored.keys(),
    signal,
  );
  const now = isoTime(clock.now());
  const changes = diffStock(stored, reading, settings, now);
  const { appended } = await store.commitObservation({
    source: NAME,
    cursor: { completedAt: now },
    ...changes,
  });
  if (appended.length > 0) log.info({ edges: appended.length }, "stock changed");
}
