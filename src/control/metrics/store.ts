// The log, its readers, the writes and the database.

import { EVENT_NAMES } from "../../contract/event-names.ts";
import { fullType } from "../../contract/event-patterns.ts";
import { ageSeconds, seconds, single } from "../../contract/metric.ts";
import type { StoreFigures } from "../../contract/store.ts";
import { WRITE_STATES } from "../../contract/writes.ts";
import type { Metric, Snapshot } from "./metric.ts";

/** Event types of own jobs, which are the operator's JavaScript: they are counted together. */
const OTHER = "other";

const AGED = ["proposed", "approved", "executing", "unknown"] as const;

const ofStore = (name: string, help: string, read: (figures: StoreFigures, now: number) => number): Metric =>
  single("gauge", name, help, ({ store, now }) => store && read(store.figures, now));

export const storeMetrics: readonly Metric[] = [
  {
    type: "counter",
    name: "nexusd_events_total",
    help: "Events committed to the log, by type.",
    labels: ["type"],
    samples: ({ store }) => (store ? eventCounts(store.figures) : []),
  },
  ofStore("nexusd_log_events", "Events in the log.", ({ oldest, latest }) => latest - oldest + 1),
  ofStore("nexusd_log_latest_sequence", "The sequence of the newest event.", ({ latest }) => latest),
  ofStore("nexusd_consumers", "Consumers of the log.", ({ consumers }) => consumers.count),
  ofStore(
    "nexusd_consumer_lag_events",
    "Events in the log since the oldest one that some consumer wants and has not acknowledged.",
    ({ consumers }) => consumers.behind,
  ),
  ofStore(
    "nexusd_consumer_lag_seconds",
    "The age of that event; 0: every consumer has acknowledged everything.",
    ({ consumers }, now) => ageSeconds(consumers.behindSince, now),
  ),
  {
    type: "gauge",
    name: "nexusd_writes",
    help: "Writes by their state.",
    labels: ["state"],
    samples: ({ store }) =>
      store ? WRITE_STATES.map((state) => ({ value: store.writes[state], labels: { state } })) : [],
  },
  {
    type: "gauge",
    name: "nexusd_write_oldest_age_seconds",
    help: "How long the oldest write has been in its state: proposed waits for a decision, approved for its execution, unknown for a person to find out; 0: there is none.",
    labels: ["state"],
    samples: ({ store, now }) =>
      store
        ? AGED.map((state) => ({
            value: ageSeconds(store.figures.waitingSince[state], now),
            labels: { state },
          }))
        : [],
  },
  {
    type: "gauge",
    name: "nexusd_database_size_bytes",
    help: "The size of the database's files: the database, and its write-ahead log.",
    labels: ["file"],
    samples: ({ store }) =>
      store ? Object.entries(store.figures.bytes).map(([file, value]) => ({ value, labels: { file } })) : [],
  },
  single(
    "gauge",
    "nexusd_database_writable",
    "1 while the database accepts commits.",
    ({ isWritable }: Snapshot) => (isWritable ? 1 : 0),
  ),
  single(
    "gauge",
    "nexusd_audit_intact",
    "1 while the audit log, the writes and their events are unchanged; none before the first verification.",
    ({ audit: { state } }: Snapshot) => (state === "unknown" ? undefined : state === "ok" ? 1 : 0),
  ),
  single(
    "gauge",
    "nexusd_audit_verified_timestamp_seconds",
    "When the audit log was last verified, in seconds since 1970.",
    ({ audit: { verifiedAt } }: Snapshot) => seconds(verifiedAt),
  ),
];

function eventCounts({ appended }: StoreFigures) {
  const known = EVENT_NAMES.map((name) => ({
    value: appended[fullType(name)] ?? 0,
    labels: { type: name as string },
  }));
  const all = Object.values(appended).reduce((sum, count) => sum + count, 0);
  const others = all - known.reduce((sum, { value }) => sum + value, 0);
  return [...known, { value: others, labels: { type: OTHER } }];
}
