// The state of each service as its jobs prove it, and the events when it changes.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { ServiceStatus } from "../control/context.ts";
import { type NewEvent, SERVICES, type Service } from "../events/types.ts";
import type { Clock } from "../scheduler/clock.ts";
import type { JobState, JobStatus } from "../scheduler/define-job.ts";
import type { Services } from "../services/services.ts";
import type { Store } from "../store/store.ts";
import type { StoreHealth } from "./store-health.ts";

const TROUBLE: ReadonlySet<JobState> = new Set(["failing", "stale", "degraded", "invalid"]);

/** The newest of what may be missing; RFC 3339 UTC in one form sorts as text. */
const newest = (times: (string | null)[]): string | null =>
  times.reduce((last, time) => (time !== null && (last === null || time > last) ? time : last), null);

/**
 * `down`: nothing worked since the start, and something failed; `degraded`: something does not work now, or has not
 * yet; `ok` is only said of a service whose every job has succeeded lately.
 */
export function serviceStatus(
  service: Service,
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
  const inTrouble = jobs.some((job) => TROUBLE.has(job.state));
  const state = !isEnabled
    ? "disabled"
    : lastSuccessAt === null && inTrouble
      ? "down"
      : inTrouble || (jobs.length > 0 && lastSuccessAt === null)
        ? "degraded"
        : "ok";
  return { ...detail, state, lastSuccessAt, lastError };
}

export function allServices(
  config: Config,
  jobs: JobStatus[],
  services: Services,
): Record<Service, ServiceStatus> {
  const details: Record<Service, Record<string, unknown>> = {
    messaging: { sessions: countBy(services.messaging.sessions.all().map(({ state }) => state)) },
    nex: { stream: config.nex.enabled ? { ...services.nex.status } : null },
    nexus: { quota: config.nexus.enabled ? services.nexus.quota.status() : null },
  };
  const of = (service: Service) => serviceStatus(service, config[service].enabled, jobs, details[service]);
  return { messaging: of("messaging"), nex: of("nex"), nexus: of("nexus") };
}

const countBy = (values: string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
};

/** What changed for the worse or the better since the last look; a service that is only starting is neither. */
export function createTransitions() {
  const troubled = new Set<Service>();
  return (now: Record<Service, ServiceStatus>) => {
    const changes: { service: Service; status: ServiceStatus; isRecovered: boolean }[] = [];
    for (const service of SERVICES) {
      const status = now[service];
      const isTroubled =
        status.state === "down" || (status.state === "degraded" && status.lastSuccessAt !== null);
      if (isTroubled === troubled.has(service) || (!isTroubled && status.state === "degraded")) continue;
      if (isTroubled) troubled.add(service);
      else troubled.delete(service);
      changes.push({ service, status, isRecovered: !isTroubled });
    }
    return changes;
  };
}

const LOOK_EVERY_MS = 1000;

/** Looks every second, reports what changed, and tries the store again while it fails. Resolves at the stop. */
export async function watchServices(options: {
  status: () => Record<Service, ServiceStatus>;
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
        const { state, lastError } = now;
        const source = `/${service}`;
        if (isRecovered) {
          log.info({ service }, `${service} is well again`);
          await report({ type: "service.recovered", source, data: { service, state } });
          continue;
        }
        const code = lastError?.code ?? "stale";
        const message = lastError?.message ?? "no success for three intervals";
        log.warn({ service, code }, `${service} is ${state}: ${message}`);
        await report({ type: "service.degraded", source, data: { service, state, code, message } });
      }
    }
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "the watch over the services ended");
  }
}
