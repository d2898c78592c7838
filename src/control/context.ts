// What the daemon passes to the control API, so that it reaches for nothing else.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { NodesView } from "../contract/api/nodes.ts";
import type { ReloadResult } from "../contract/api/reload.ts";
import type { ServiceStatus } from "../contract/api/status.ts";
import type { Store } from "../contract/store.ts";
import type { AuditVerdict } from "../contract/write-store.ts";
import type { OperationSummary, Reads, Writes } from "../contract/writes.ts";
import type { Clock } from "../core/clock.ts";
import type { History } from "../history/history.ts";
import type { Scheduler } from "../scheduler/job.ts";
import type { ServiceName } from "../services/list.ts";
import type { Route } from "../services/route.ts";
import type { Sinks } from "../sinks/sinks.ts";
import type { Measured } from "./metrics/metric.ts";

/** The socket on which a request arrived; it alone decides what the request may do. */
export type Role = "agent" | "operator";

/** Whether the audit log was intact when it was last verified. */
export interface AuditStatus {
  state: "ok" | "broken" | "unknown";
  why: string | null;
  verifiedAt: string | null;
}

export interface AuditView {
  status(): AuditStatus;
  /** As the store's; the result becomes the status. */
  verify(head?: string): Promise<AuditVerdict>;
  /** Writes the head of the chain to the daemon's log, where it survives the loss of the database. */
  note(rows: number, head: string): void;
}

export interface FleetView {
  /** Whether other nodes can share the database. */
  isShared: boolean;
  /** As of the last look, a second ago or so. */
  view(): NodesView;
  /** See the store's fleet. @throws StoreError */
  drain(isDraining: boolean): Promise<void>;
}

export interface ControlContext {
  version: string;
  startedAt: string;
  clock: Clock;
  store: Store;
  log: Logger;
  scheduler: Scheduler;
  sinks: Pick<Sinks, "list" | "named" | "troubles">;
  writes: Writes;
  reads: Reads;
  /** The catalogue with the current policy: `approval` is null for a read. */
  operations(): Promise<OperationSummary[]> | OperationSummary[];
  /** The event types that own jobs declare, without prefix. */
  ownEventTypes(): readonly string[];
  /** Aborts when the daemon stops: long polls answer at once, streams end. */
  signal: AbortSignal;
  services(): Record<ServiceName, ServiceStatus>;
  measured: Measured;
  /** The current limits: a reload changes them. */
  limits(): Config["limits"];
  /** Whether the database accepts commits. */
  storeStatus(): {
    state: "ok" | "degraded";
    lastError: { code: string; message: string; at: string } | null;
  };
  audit: AuditView;
  fleet: FleetView;
  history: Pick<History, "read">;
  /** @throws ConfigError: the old configuration stays */
  reload(): Promise<ReloadResult>;
  /** Routes of the services. */
  routes: readonly Route[];
}
