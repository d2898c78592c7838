// What the control API is given by the daemon, and what it must not have to reach for.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
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

/** The socket a request came in by, which is all that decides what it may do. */
export type Role = "agent" | "operator";

/** Whether the audit log was whole when it was verified last. */
export interface AuditStatus {
  state: "ok" | "broken" | "unknown";
  why: string | null;
  verifiedAt: string | null;
}

export interface AuditView {
  status(): AuditStatus;
  /** As of the store; what it finds is the status from then on. */
  verify(head?: string): Promise<AuditVerdict>;
  /** Writes the head of the chain to the daemon's log, where it stays whatever becomes of the database. */
  note(rows: number, head: string): void;
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
  /** The catalogue with the policy of now: `approval` is null for a read. */
  operations(): Promise<OperationSummary[]> | OperationSummary[];
  /** The types of events that jobs of one's own declare, without prefix. */
  ownEventTypes(): readonly string[];
  /** Aborts when the daemon stops: long polls answer at once, streams end. */
  signal: AbortSignal;
  services(): Record<ServiceName, ServiceStatus>;
  measured: Measured;
  /** As they are now: a reload changes them. */
  limits(): Config["limits"];
  /** Whether the database takes commits. */
  storeStatus(): {
    state: "ok" | "degraded";
    lastError: { code: string; message: string; at: string } | null;
  };
  audit: AuditView;
  history: Pick<History, "read">;
  /** @throws ConfigError: the old configuration stays */
  reload(): Promise<ReloadResult>;
  /** Those of the services. */
  routes: readonly Route[];
}
