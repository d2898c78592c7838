// The state of each service as its jobs prove it, and the events when it changes.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { ServiceStatus } from "../contract/api/status.ts";
import type { NewEvent } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import type { JobState, JobStatus } from "../scheduler/job.ts";
import { SERVICE_NAMES, type ServiceName } from "../services/list.ts";
import type { RunningServices } from "./services.ts";
import type { StoreHealth } from "./store-health.ts";

const TROUBLE: ReadonlySet<JobState> = new Set(["failing", "stale", "degraded", "invalid"]);

/** The newest of the times that are there; RFC 3339 UTC in one form sorts as text. */
const newest = (times: (string | null)[]): string | null =>
  times.reduce((last, time) => (time !== null && (last === null || time > last) ? time : last), null);

/**
 * `down`: nothing has worked since the start, and something failed; `degraded`: something does not work now, or not
 * yet; `ok`: every job of the service has succeeded recently.
 */
export function serviceStatus(
  service: ServiceName,
  isEnabled: boolean,
  all: JobStatus[],
  detail: Record<string, unknown>,
): ServiceStatus {
  const jobs = all.filter((job) => job.service === service && job.state !== "disabled");
  const lastSuccessAt = newest(jobs.map((job) => job.lastSuccessAt));
  const errors = jobs.map((job) => job.lastError).filter((error) => error !== null);
  const lastError = errors.reduce<ServiceStatus["lastError"]>(
    (last, error) => (last === null || error.at > last.at ? error : last),
    null,
  );
  // A service paused by an operator is not ok, either: nothing is read meanwhile.
  const paused = jobs.filter((job) => job.state === "paused").map(({ name }) => name);
  // What another node does, that one knows; it says so if it fails.
  const here = jobs.filter(({ state }) => state !== "standby");
  const inTrouble = paused.length > 0 || jobs.some((job) => TROUBLE.has(job.state));
  const state = !isEnabled
    ? "disabled"
    : lastSuccessAt === null && inTrouble
      ? "down"
      : inTrouble || (here.length > 0 && lastSuccessAt === null)
        ? "degraded"
        : "ok";
  return { ...detail, ...(paused.length > 0 && { paused }), state, lastSuccessAt, lastError };
}

export function allServices(
  config: Config,
  jobs: JobStatus[],
  running: Pick<RunningServices, "of">,
): Record<ServiceName, ServiceStatus> {
  const statuses = SERVICE_NAMES.map((name) => {
    const { enabled } = config[name];
    return [name, serviceStatus(name, enabled, jobs, running.of(name).describe())];
  });
  // Every service is a key.
  return Object.fromEntries(statuses) as Record<ServiceName, ServiceStatus>;
}

/** How many checks without trouble make a service ok again, so that an unstable one is reported once. */
const LOOKS_TO_RECOVER = 10;

/** What got worse or better since the last check; a service that is only starting is neither. */
export function createTransitions() {
  /** For each in trouble, how many checks in a row it looked ok. */
  const troubled = new Map<ServiceName, number>();
  return (now: Record<ServiceName, ServiceStatus>) => {
    const changes: { service: ServiceName; status: ServiceStatus; isRecovered: boolean }[] = [];
    for (const service of SERVICE_NAMES) {
      const status = now[service];
      const isTroubled =
        status.state === "down" || (status.state === "degraded" && status.lastSuccessAt !== null);
      const looks = troubled.get(service);
      if (isTroubled) {
        troubled.set(service, 0);
        if (looks !== undefined) continue;
      } else {
        if (looks === undefined || status.state === "degraded") continue;
        troubled.set(service, looks + 1);
        if (looks + 1 < LOOKS_TO_RECOVER) continue;
        troubled.delete(service);
      }
      changes.push({ service, status, isRecovered: !isTroubled });
    }
    return changes;
  };
}

function troubleOf({ paused, lastError }: ServiceStatus): { code: string; message: string } {
  if (Array.isArray(paused))
    return {
      code: "paused",
      message: `an operator paused ${paused.join(", ")}: nexusctl jobs resume ${paused[0]}`,
    };
  return lastError ?? { code: "stale", message: "no success for three intervals" };
}

const LOOK_EVERY_MS = 1000;

/** Checks every second, reports changes, and tries the store again while it fails. Resolves at shutdown. */
export async function watchServices(options: {
  status: () => Record<ServiceName, ServiceStatus>;
  health: StoreHealth;
  store: Pick<Store, "probe">;
  report: (...events: NewEvent[]) => Promise<void>;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { status, health, store, report, clock, log, signal } = options;
  const transitions = createTransitions();
  try {
    for (;;) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      if (health.status().state === "degraded") await store.probe().catch(() => {});
      for (const { service, status: now, isRecovered } of transitions(status())) {
        const { state } = now;
        const source = `/${service}`;
        if (isRecovered) {
          log.info({ service }, `${service} has recovered`);
          await report({ type: "service.recovered", source, data: { service, state } });
          continue;
        }
        const { code, message } = troubleOf(now);
        log.warn({ service, code }, `${service} is ${state}: ${message}`);
        await report({ type: "service.degraded", source, data: { service, state, code, message } });
      }
    }
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "the watch over the services ended");
  }
}
