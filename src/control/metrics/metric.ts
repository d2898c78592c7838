// What one scrape sees.

import type { SinkStatus } from "../../contract/api/sinks.ts";
import type { ServiceStatus } from "../../contract/api/status.ts";
import type { MetricOf } from "../../contract/metric.ts";
import type { StoreFigures } from "../../contract/store.ts";
import type { WriteState } from "../../contract/writes.ts";
import type { Share } from "../../http/budget.ts";
import type { Priority } from "../../http/shares.ts";
import type { JobStatus, RunOutcomes } from "../../scheduler/job.ts";
import type { Counts } from "../../services/counts.ts";
import type { ServiceName } from "../../services/list.ts";
import type { ServiceMetric } from "../../services/module.ts";
import type { Figures } from "../../sinks/figures.ts";
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

/** What no other part of the control API shows of the services. */
export interface Measured {
  counts: Counts;
  handedOver: Figures;
  droppedLogLines(): number;
  budgets(): BudgetFigures[];
  /** Those of the services, each about its own. */
  ofServices(): readonly ServiceMetric[];
}

/** Everything as it stood at the time of one scrape. */
export interface Snapshot {
  version: string;
  /** Wall time, milliseconds. */
  now: number;
  services: Record<ServiceName, ServiceStatus>;
  jobs: JobStatus[];
  outcomes: ReadonlyMap<string, RunOutcomes>;
  /** None where the database cannot be read. */
  sinks: readonly SinkStatus[];
  handedOver: Figures;
  counts: Counts;
  budgets: BudgetFigures[];
  /** Whether the last commit worked. */
  isWritable: boolean;
  audit: AuditStatus;
  /** Undefined where the database cannot be read: what it would say is left out. */
  store: { figures: StoreFigures; writes: Record<WriteState, number> } | undefined;
  droppedLogLines: number;
  /** How late the event loop was for its next turn. */
  loopLagMs: number;
}

/** A metric with no sample is announced all the same. */
export type Metric = MetricOf<Snapshot>;
