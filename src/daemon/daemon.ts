// The composition root: everything is put together here, started in order, and stopped in the reverse one.

import type { Logger } from "pino";
import type { Config } from "../config/schema.ts";
import type { ResolvedSecrets } from "../config/secrets.ts";
import { socketPaths } from "../config/sockets.ts";
import type { ReloadResult } from "../control/context.ts";
import { startControl } from "../control/server.ts";
import type { NewEvent } from "../events/types.ts";
import type { RequestBudget } from "../http/budget.ts";
import { type Clock, isoTime, systemClock } from "../scheduler/clock.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import { SESSION_KIND } from "../services/messaging/session.ts";
import { openStore } from "../store/sqlite.ts";
import { allServices, createTransitions } from "./health.ts";
import { findJobs } from "./jobs.ts";
import { type Redactor, short } from "./redact.ts";
import { createServices } from "./services.ts";
import { watchStore } from "./store-health.ts";

const LOOK_EVERY_MS = 1000;
/** The whole stop has 5 s; the jobs have most of them. */
const JOBS_GRACE_MS = 3000;

export interface Daemon {
  reload(): Promise<ReloadResult>;
  stop(reason: string): Promise<void>;
}

export interface DaemonOptions {
  config: Config;
  secrets: ResolvedSecrets;
  version: string;
  log: Logger;
  redactor: Redactor;
  /** Reads the configuration file again. @throws ConfigError */
  readConfig: () => { config: Config; secrets: ResolvedSecrets };
}

/** @throws StoreError, SocketError: nothing was left running */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { version, log, redactor } = options;
  let { config } = options;
  const clock: Clock = systemClock;
  const random = Math.random;
  const startedAt = isoTime(clock.now());
  const stopping = new AbortController();

  const hideSession = (sessionId: string) => redactor.add(sessionId, short(sessionId));

  const opened = await openStore({ dataDir: config.daemon.data_dir, clock });
  const { store, health } = watchStore(opened, clock, {
    onSecret: redactor.add,
    onSessionId: hideSession,
    onChange: (error) => {
      if (error) log.error({ code: error.code }, error.message);
      else log.info("the database takes commits again");
    },
  });
  const report = async (source: string, ...events: NewEvent[]) => {
    // What cannot be written now is in the log of the daemon; the state itself is in status.
    await store.commitObservation({ source, events }).catch(() => {});
  };

  const budgets = new Map<string, RequestBudget>();
  const build = (from: { config: Config; secrets: ResolvedSecrets }) =>
    createServices({
      ...from,
      store,
      clock,
      random,
      version,
      onSecret: redactor.add,
      scrub: redactor.scrub,
      budgets,
    });
  const services = build(options);

  try {
    for (const { id } of config.messaging.sessions) hideSession(id);
    for (const { key } of await store.readRecords(SESSION_KIND)) hideSession(key);
    await store.commitObservation({
      source: "daemon",
      events: [{ type: "daemon.started", source: "/daemon", data: { version, pid: process.pid } }],
    });
    const { jobs, invalid } = await findJobs(config.jobs.directory);
    for (const { file, message } of invalid) log.error({ file }, `a job was not loaded: ${message}`);
    const scheduler = createScheduler({
      jobs,
      invalid,
      context: { config, store, services, clock, random, log },
    });
    const status = () => allServices(config, scheduler.list(), services);

    const reload = async (): Promise<ReloadResult> => {
      const next = options.readConfig();
      const changed = changedPaths(config, next.config);
      for (const secret of Object.values(next.secrets)) redactor.add(secret.reveal());
      for (const { id } of next.config.messaging.sessions) hideSession(id);
      const restartNeeded = changed.filter(isFixedAtStart);
      // What cannot change now stays as it runs, so that status and sockets agree.
      config = {
        ...next.config,
        daemon: { ...config.daemon, log_level: next.config.daemon.log_level },
        control: config.control,
        jobs: { ...next.config.jobs, directory: config.jobs.directory },
      };
      log.level = config.daemon.log_level;
      Object.assign(services, build({ config, secrets: next.secrets }));
      await scheduler.reconfigure(config);
      const applied = changed.filter((path) => !isFixedAtStart(path));
      log.info({ applied, restartNeeded }, "configuration reloaded");
      if (restartNeeded.length > 0) log.warn({ restartNeeded }, "some changes need a restart of nexusd");
      return { applied, restartNeeded };
    };

    const sockets = socketPaths(config);
    const control = await startControl({
      sockets,
      context: {
        version,
        startedAt,
        clock,
        store,
        log,
        scheduler,
        signal: stopping.signal,
        services: status,
        storeStatus: health.status,
        reload,
      },
    });
    scheduler.start();
    log.info({ ...sockets, version, pid: process.pid }, "nexusd is ready");

    const transitions = createTransitions();
    const look = async () => {
      for (;;) {
        await clock.sleep(LOOK_EVERY_MS, stopping.signal);
        if (health.status().state === "degraded") await store.probe().catch(() => {});
        for (const { service, status: now, isRecovered } of transitions(status())) {
          const failure = now.lastError ?? { code: "stale", message: "no success for three intervals" };
          log[isRecovered ? "info" : "warn"](
            isRecovered ? { service } : { service, code: failure.code },
            isRecovered ? `${service} is well again` : `${service} is ${now.state}: ${failure.message}`,
          );
          await report(
            `/${service}`,
            isRecovered
              ? { type: "service.recovered", source: `/${service}`, data: { service, state: now.state } }
              : {
                  type: "service.degraded",
                  source: `/${service}`,
                  data: { service, state: now.state, code: failure.code, message: failure.message },
                },
          );
        }
      }
    };
    const looking = look().catch((error: unknown) => {
      if (!stopping.signal.aborted) log.error({ err: error }, "the watch over the services ended");
    });

    return {
      reload,
      async stop(reason) {
        log.info({ reason }, "stopping");
        await scheduler.stop(JOBS_GRACE_MS);
        stopping.abort(new Error("nexusd is stopping"));
        await looking;
        await control.close();
        await report("daemon", { type: "daemon.stopped", source: "/daemon", data: { reason } });
        await store.close();
        log.info("stopped");
      },
    };
  } catch (error) {
    stopping.abort(error);
    await opened.close();
    throw error;
  }
}

const FIXED_AT_START = ["daemon.data_dir", "daemon.log_format", "control", "jobs.directory"];

const isFixedAtStart = (path: string) =>
  FIXED_AT_START.some((fixed) => path === fixed || path.startsWith(`${fixed}.`));

/** The TOML paths whose values differ, tables walked through, lists compared whole. */
export function changedPaths(before: unknown, after: unknown, path = ""): string[] {
  const isTable = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isTable(before) || !isTable(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changedPaths(before[key], after[key], path === "" ? key : `${path}.${key}`),
  );
}
