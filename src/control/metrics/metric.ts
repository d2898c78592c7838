// What a metric is, and what one scrape sees. No label ever holds text from outside, a session id or an agent's name.

import type { ServiceStatus } from "../../contract/api/status.ts";
import type { StoreFigures } from "../../contract/store.ts";
import type { WriteState } from "../../contract/writes.ts";
import type { Share } from "../../http/budget.ts";
import type { Priority } from "../../http/shares.ts";
import type { JobStatus, RunOutcomes } from "../../scheduler/job.ts";
import type { Counts, Histogram } from "../../services/counts.ts";
import type { ServiceName } from "../../services/list.ts";
import type { Known } from "../../services/messaging/sessions.ts";
import type { StreamStatus } from "../../services/nex/client.ts";
import type { QuotaStatus } from "../../services/nexus/quota.ts";
import type { AuditStatus } from "../context.ts";

/** The request budget of one server. */
export interface BudgetFigures {
  service: string;
  /** An origin, from the configuration. */
  server: string;
  limit: number;
  reserve: number;
  used: number;
  waiting: number;
  quietMs: number;
  shares: Record<Priority, Share>;
}

export interface PolledSession {
  session: Pick<Known["session"], "state" | "joinedAt">;
  polledAtMs: Known["polledAtMs"];
}

/** What no other part of the control API shows of the services. */
export interface Measured {
  counts: Counts;
  droppedLogLines(): number;
  budgets(): BudgetFigures[];
  /** Null: Nex is disabled. */
  stream(): StreamStatus | null;
  /** Null: not known. */
  quota(): QuotaStatus | null;
  /** None while NexusMessaging is disabled. */
  sessions(): readonly PolledSession[];
}

/** Everything as it stood at the time of one scrape. */
export interface Snapshot {
  version: string;
  /** Wall time, milliseconds. */
  now: number;
  services: Record<ServiceName, ServiceStatus>;
  jobs: JobStatus[];
  outcomes: ReadonlyMap<string, RunOutcomes>;
  counts: Counts;
  budgets: BudgetFigures[];
  stream: StreamStatus | null;
  quota: QuotaStatus | null;
  sessions: readonly PolledSession[];
  /** Whether the last commit worked. */
  isWritable: boolean;
  audit: AuditStatus;
  /** Undefined where the database cannot be read: what it would say is left out. */
  store: { figures: StoreFigures; writes: Record<WriteState, number> } | undefined;
  droppedLogLines: number;
  /** How late the event loop was for its next turn. */
  loopLagMs: number;
}

type Labels = Record<string, string>;
export interface Sample {
  value: number;
  labels?: Labels;
}

interface Described {
  name: string;
  help: string;
  labels: readonly string[];
}
/** A metric with no sample is announced all the same. */
export type Metric = Described &
  (
    | { type: "counter" | "gauge"; samples(snapshot: Snapshot): Sample[] }
    | { type: "histogram"; histogram(snapshot: Snapshot): Histogram }
  );

/** A metric with one sample and no label; null or undefined: nothing is known. */
export const single = (
  type: "counter" | "gauge",
  name: string,
  help: string,
  read: (snapshot: Snapshot) => number | null | undefined,
): Metric => ({
  ...{ type, name, help, labels: [] },
  samples(snapshot) {
    const value = read(snapshot);
    return value === null || value === undefined ? [] : [{ value }];
  },
});

/** One sample for each state, 1 for that of now. */
export const oneHot = (states: readonly string[], current: string, labels: Labels = {}): Sample[] =>
  states.map((state) => ({ value: state === current ? 1 : 0, labels: { ...labels, state } }));

/** The keys of a record that must have every one of a union, so that a new one cannot be forgotten. */
export const keysOf = <K extends string>(all: Record<K, true>): readonly K[] =>
  // An object literal has the keys of its type.
  Object.keys(all) as K[];

/** RFC 3339 as seconds since 1970; nothing for none. */
export const seconds = (time: string | null): number | undefined =>
  time === null ? undefined : Date.parse(time) / 1000;

/** Seconds since a time, 0 where there is none or it is still to come. */
export const ageSeconds = (time: string | null, now: number): number =>
  time === null ? 0 : Math.max(0, now - Date.parse(time)) / 1000;
