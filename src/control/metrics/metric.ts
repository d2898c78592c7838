// The input of one scrape.

import type { NodesView } from "../../contract/api/nodes.ts";
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

/** Facts about the services that no other part of the control API shows. */
export interface Measured {
  counts: Counts;
  handedOver: Figures;
  droppedLogLines(): number;
  budgets(): BudgetFigures[];
  /** Metrics that the services bring, each about itself. */
  ofServices(): readonly ServiceMetric[];
}

/** The state at the time of one scrape. */
export interface Snapshot {
  version: string;
  /** Wall time, milliseconds. */
  now: number;
  services: Record<ServiceName, ServiceStatus>;
  jobs: JobStatus[];
  outcomes: ReadonlyMap<string, RunOutcomes>;
  /** Empty if the database cannot be read. */
  sinks: readonly SinkStatus[];
  fleet: NodesView;
  handedOver: Figures;
  counts: Counts;
  budgets: BudgetFigures[];
  /** Whether the last commit succeeded. */
  isWritable: boolean;
  audit: AuditStatus;
  /** Undefined if the database cannot be read: its metrics are left out. */
  store: { figures: StoreFigures; writes: Record<WriteState, number> } | undefined;
  droppedLogLines: number;
  /** How late the last turn of the event loop was. */
  loopLagMs: number;
}

/** A metric without samples is announced all the same. */
export type Metric = MetricOf<Snapshot>;
