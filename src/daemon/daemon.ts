// The composition root: everything is put together here, started in order, and stopped in the reverse one.

import { join } from "node:path";
import type { Logger } from "pino";
import { type FoundJobs, findJobs, reloadedJobs } from "../config/find-jobs.ts";
import { withOwnSettings } from "../config/own-settings.ts";
import type { Config } from "../config/schema.ts";
import { allSecrets, type ResolvedSecrets } from "../config/secrets.ts";
import { socketPaths } from "../config/sockets.ts";
import type { ReloadResult } from "../contract/api/reload.ts";
import type { NewEvent } from "../contract/new-event.ts";
import { startControl } from "../control/server.ts";
import { type Clock, isoTime, systemClock } from "../core/clock.ts";
import { type Redactor, short } from "../core/redaction.ts";
import { createBudgets } from "../http/budgets.ts";
import { ownEventTypes } from "../scheduler/own-events.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import { settingsOf } from "../services/config.ts";
import { createCounts } from "../services/counts.ts";
import { SERVICES } from "../services/list.ts";
import { createImport } from "../services/messaging/membership/import.ts";
import type { ServiceModule } from "../services/module.ts";
import { openStore } from "../store/sqlite.ts";
import type { InheritedSocket } from "../systemd/activation.ts";
import type { Notifier } from "../systemd/notify.ts";
import { createAuditWatch } from "./audit-watch.ts";
import { recallSteadyClock, watchClock } from "./clock.ts";
import { allServices, watchServices } from "./health.ts";
import { policyWarnings } from "./policy-warnings.ts";
import { changedPaths, isFixedAtStart, reloadedConfig, sameSecrets } from "./reload.ts";
import { budgetFigures, startServices } from "./services.ts";
import { watchStore } from "./store-health.ts";
import { keepVitals, statusLine } from "./watchdog.ts";
import { createWritePath } from "./write-path.ts";

/** The whole stop has 5 s; the jobs and the writes under way have most of them. */
const WORK_GRACE_MS = 3000;
/** What one migration may take of a large database. */
const MIGRATION_WITHIN_MS = 10 * 60_000;

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
  /** The file of the configuration. */
  configPath: string;
  /** Reads the configuration file again. @throws ConfigError */
  readConfig: () => { config: Config; secrets: ResolvedSecrets };
  /** Told of what only a new start can mend; the process should end. */
  onFatal: (error: Error) => void;
  notifier: Notifier;
  /** How many lines of the log nobody took. */
  droppedLogLines: () => number;
  /** What systemd passed. */
  inherited: readonly InheritedSocket[];
}

/** @throws StoreError, SocketError: nothing was left running */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { version, log, redactor, notifier, inherited } = options;
  let { config, secrets } = options;
  const clock: Clock = systemClock;
  const random = Math.random;
  const startedAt = isoTime(clock.now());
  const stopping = new AbortController();

  const opened = await openStore({
    dataDir: config.daemon.data_dir,
    clock,
    onMigration: () => notifier.extendTimeout(MIGRATION_WITHIN_MS),
  });
  const { store, health } = watchStore(opened, clock, {
    onSecret: redactor.add,
    hide: redactor.hide,
    secretKinds: SERVICES.flatMap(({ secretKinds }: ServiceModule) => secretKinds),
    onSecretKey: (key) => redactor.add(key, short(key)),
    onChange: (error) => {
      if (error?.code === "unusable" && !stopping.signal.aborted) options.onFatal(error);
      else if (error) log.error({ code: error.code }, error.message);
      else log.info("the database takes commits again");
    },
  });
  const report = async (...events: NewEvent[]) => {
    // What cannot be written now is in the log of the daemon; the state itself is in status.
    await store.commitObservation({ source: "daemon", events }).catch(() => {});
  };

  const budgets = createBudgets({
    clock,
    directory: join(config.daemon.data_dir, "budgets"),
    onFailure: (server, error) =>
      log.warn({ server, err: error }, "what was spent of a request budget cannot be kept over a restart"),
  });
  const counts = createCounts();
  let onBack = (_service: string) => {};
  const warnOfPolicy = () => {
    for (const { path, message } of policyWarnings(config)) log.warn(`${path} ${message}`);
  };
  const learn = (from: ResolvedSecrets) => {
    for (const secret of allSecrets(from)) redactor.add(secret.reveal());
  };

  try {
    learn(secrets);
    const steady = await recallSteadyClock(store, clock);
    const running = await startServices({
      ...{ version, store, clock, steady, random, log, redactor, budgets, counts },
      onBack: (service) => onBack(service),
      signal: stopping.signal,
    });
    const { clients: services } = running;
    await running.recall();
    running.connect(options);
    await running.adopt();
    await store.commitObservation({
      source: "daemon",
      events: [{ type: "daemon.started", source: "/daemon", data: { version, pid: process.pid } }],
    });
    let found = await findJobs(config.jobs.directory);
    complainOf(found.invalid, log);
    config = withOwnSettings(options.configPath, config, found);
    warnOfPolicy();
    const context = { config, store, services, clock, steady, random, log };
    const scheduler = createScheduler({
      ...{ jobs: found.jobs, invalid: found.invalid, context, directory: config.jobs.directory },
      // It is the configuration that the scheduler was given, and the name of a job.
      settingsOf: (given, name) => (given as Config).jobs[name],
    });
    const status = () => allServices(config, scheduler.list(), running);
    const writePath = createWritePath({
      config: () => config,
      services: running,
      secrets: () => secrets,
      ...{ store, clock, steady, random, log, redactor },
    });
    await writePath.load();
    const { writes, reads, operations, executor } = writePath;
    onBack = (service) => {
      scheduler.retryNow(service);
      executor.retryNow(service);
    };

    const audit = createAuditWatch({ store, clock, log });
    const sockets = socketPaths(config);
    const vitals = {
      ...{ notifier, store, clock, log },
      pulses: scheduler.pulses,
      lines: () =>
        Object.entries(status()).flatMap(([name, { state }]) =>
          state === "disabled" ? [] : running.of(name).line(state),
        ),
      socket: sockets.agent,
      signal: stopping.signal,
    };
    const reload = async (): Promise<ReloadResult> => {
      await notifier.reloading();
      try {
        return await reloadNow();
      } finally {
        await notifier.ready(await statusLine(vitals));
      }
    };
    const reloadNow = async (): Promise<ReloadResult> => {
      const next = options.readConfig();
      const foundNext = await findJobs(config.jobs.directory, found);
      next.config = withOwnSettings(options.configPath, next.config, foundNext);
      const changed = [...new Set([...changedPaths(config, next.config), ...reloadedJobs(found, foundNext)])];
      if (changed.length === 0 && sameSecrets(secrets, next.secrets)) {
        log.info("configuration reloaded: nothing changed");
        return { applied: [], restartNeeded: [] };
      }
      const reloaded = reloadedConfig(config, next.config);
      learn(next.secrets);
      await running.recall();
      running.connect({ config: reloaded, secrets: next.secrets });
      config = reloaded;
      secrets = next.secrets;
      log.level = config.daemon.log_level;
      if (foundNext !== found) complainOf(foundNext.invalid, log);
      found = foundNext;
      scheduler.reconfigure(config, found);
      warnOfPolicy();
      await running.adopt();
      const applied = changed.filter((path) => !isFixedAtStart(path));
      const restartNeeded = changed.filter(isFixedAtStart);
      log.info({ applied, restartNeeded }, "configuration reloaded");
      if (restartNeeded.length > 0) log.warn({ restartNeeded }, "some changes need a restart of nexusd");
      return { applied, restartNeeded };
    };

    const control = await startControl({
      ...{ sockets, inherited, metricsPort: config.control.metrics_port },
      context: {
        ...{ version, startedAt, clock, store, log, scheduler, writes, reads, operations, reload },
        signal: stopping.signal,
        services: status,
        storeStatus: health.status,
        limits: () => config.limits,
        ownEventTypes: () => ownEventTypes(found.jobs),
        audit,
        measured: {
          droppedLogLines: options.droppedLogLines,
          counts,
          budgets: () => budgetFigures(budgets).filter(({ service }) => settingsOf(config, service).enabled),
          ofServices: () => running.all().flatMap(({ metrics }) => metrics),
        },
        lastPolledAt: (sessionId) => services.messaging.sessions.get(sessionId)?.lastPolledAt,
        importSessions: createImport({
          ...{ store, clock, changes: services.messaging.changes },
          config: () => config,
          sessions: () => services.messaging.sessions,
        }),
      },
    });
    await writePath.start();
    scheduler.start();
    log.info({ ...sockets, version, pid: process.pid }, "nexusd is ready");
    await notifier.ready(await statusLine(vitals));
    const living = keepVitals(vitals);
    const auditing = audit.run(stopping.signal);
    const timing = watchClock({
      ...{ steady, store, clock, log },
      onJump: scheduler.wake,
      signal: stopping.signal,
    });
    const watching = watchServices({ status, health, store, report, clock, log, signal: stopping.signal });

    return {
      reload,
      async stop(reason) {
        log.info({ reason }, "stopping");
        const told = notifier.stopping();
        await Promise.all([scheduler.stop(WORK_GRACE_MS), executor.stop(WORK_GRACE_MS)]);
        stopping.abort(new Error("nexusd is stopping"));
        await Promise.all([watching, living, timing, told]);
        await control.close();
        for (const service of running.all()) await service.leave();
        await report({ type: "daemon.stopped", source: "/daemon", data: { reason } });
        // A verification under way ends with it.
        await store.close();
        await auditing;
        budgets.close();
        log.info("stopped");
      },
    };
  } catch (error) {
    stopping.abort(error);
    await opened.close();
    throw error;
  }
}

function complainOf(invalid: FoundJobs["invalid"], log: Logger): void {
  for (const { file, line, message } of invalid)
    log.error({ file, ...(line !== undefined && { line }) }, `a job was not loaded: ${message}`);
}
