// Watches the pending orders of Nexus: one event when an order comes in, stays too long, or moves on.

import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import { diffOrders, PENDING, PENDING_ORDER_KIND, pendingOrderRecord } from "../src/services/nexus/orders.ts";
import { readWatchedSet } from "../src/services/nexus/watch.ts";

const NAME = "nexus-pending-orders";

export default defineJob({
  name: NAME,
  description: "Follows the pending orders of Nexus.",
  kind: "cron",
  service: "nexus",
  enabled: (config) => config.nexus.enabled && config.jobs[NAME].enabled,
  schedule: (config) => config.jobs[NAME].schedule,
  catchUp: "once",
  run,
});

async function run({ config, store, services, clock, log, signal }: JobContext): Promise<void> {
  const last = (await store.readCursor(NAME))?.value as { completedAt: string } | undefined; // written below
  const stored = new Map(
    (await store.readRecords(PENDING_ORDER_KIND)).map(({ key, value }) => [
      key,
      pendingOrderRecord.parse(value),
    ]),
  );
  const startedAt = clock.now();
  const reading = await readWatchedSet(
    services.nexus,
    {
      table: "orders",
      select: "id,order_number,order_status,total_amount,currency,customer_id,created_at",
      filter: { column: "order_status", operator: "eq", value: PENDING },
    },
    stored.keys(),
    signal,
  );
  const changes = diffOrders(stored, reading, {
    overdueAfterMs: config.jobs[NAME].overdue_after,
    lastReadAt: last ? Date.parse(last.completedAt) : null,
    now: clock.now(),
  });
  // The time the reading began: an order created while it ran is new to the next one.
  const cursor = { completedAt: isoTime(startedAt) };
  const { appended } = await store.commitObservation({ source: NAME, cursor, ...changes });
  if (appended.length > 0) log.info({ edges: appended.length }, "orders changed");
}
