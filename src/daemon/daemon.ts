// The composition root: everything is put together here, started in order, and stopped in reverse.

import { join, resolve } from "node:path";
import type { Logger } from "pino";
import { findJobs } from "../config/find-jobs.ts";
import { withOwnSettings } from "../config/own-settings.ts";
import type { Config } from "../config/schema.ts";
import { allSecrets, type ResolvedSecrets } from "../config/secrets.ts";
import { signersFileProblem } from "../config/signers.ts";
import { socketPaths } from "../config/sockets.ts";
import type { ReloadResult } from "../contract/api/reload.ts";
import type { NewEvent } from "../contract/new-event.ts";
import type { SharedValues } from "../contract/shared-values.ts";
import type { ControlContext } from "../control/context.ts";
import { startControl } from "../control/server.ts";
import { systemClock as clock, isoTime } from "../core/clock.ts";
import type { Redactor } from "../core/redaction.ts";
import { within } from "../core/within.ts";
import { type Budgets, createBudgets } from "../http/budgets.ts";
import { ownEventTypes } from "../scheduler/own-events.ts";
import { createScheduler } from "../scheduler/scheduler.ts";
import { settingsOf } from "../services/config.ts";
import { createCounts } from "../services/counts.ts";
import { createFigures } from "../sinks/figures.ts";
import type { InheritedSocket } from "../systemd/activation.ts";
import type { Notifier } from "../systemd/notify.ts";
import { createAuditWatch } from "./audit-watch.ts";
import { recallSteadyClock, watchClock } from "./clock.ts";
import { type Database, openDatabase } from "./database.ts";
import { createFleetWatch } from "./fleet.ts";
import { allServices, watchServices } from "./health.ts";
import { startHistory } from "./history.ts";
import { policyWarnings } from "./policy-warnings.ts";
import { complainOf, createReload, type Running } from "./reload.ts";
import { budgetFigures, startServices } from "./services.ts";
import { sinksConfig, startSinks } from "./sinks.ts";
import { runWatchdog, statusLine } from "./watchdog.ts";
import { createWritePath } from "./write-path.ts";

/** The whole shutdown has 5 s; running jobs and writes get most of them. */
const WORK_GRACE_MS = 3000;
const BUDGETS_WITHIN_MS = 500;

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
  /** Called with what only a restart can fix; the process should end. */
  onFatal: (error: Error) => void;
  notifier: Notifier;
  /** How many log lines were dropped. */
  droppedLogLines: () => number;
  /** What systemd passed. */
  inherited: readonly InheritedSocket[];
}

/** @throws StoreError, SocketError: nothing is left running */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const startedAt = isoTime(clock.now());
  const stopping = new AbortController();
  const database = await openDatabase({
    ...{ ...options, clock },
    onFatal(error) {
      if (!stopping.signal.aborted) options.onFatal(error);
      return !stopping.signal.aborted;
    },
  });
  try {
    const parts = await assemble(options, database, stopping.signal);
    return await start(options, { ...parts, startedAt }, stopping);
  } catch (error) {
    stopping.abort(error);
    await database.store.close();
    throw error;
  }
}

type Parts = Awaited<ReturnType<typeof assemble>> & { startedAt: string };

/** All parts, connected with each other. No service has been asked yet, and nobody can connect. */
async function assemble(
  options: DaemonOptions,
  { store, values, health, setSecrets }: Database,
  signal: AbortSignal,
) {
  const { version, log, redactor, configPath } = options;
  const random = Math.random;
  const learn = (from: ResolvedSecrets) => {
    for (const secret of allSecrets(from)) redactor.add(secret.reveal());
  };
  learn(options.secrets);

  const budgets = openBudgets(options, store.fleet.node, values);
  const counts = createCounts();
  const steady = await recallSteadyClock(store, clock);
  let retryNow = (_service: string) => {};
  const services = await startServices({
    ...{ version, store, clock, steady, random, log, redactor, budgets, counts, signal },
    onBack: (service) => retryNow(service),
  });
  await services.recall();
  services.connect(options);
  await services.adopt();
  await store.commitObservation({
    source: "daemon",
    events: [{ type: "daemon.started", source: "/daemon", data: { version, pid: process.pid } }],
  });

  const jobs = await findJobs(options.config.jobs.directory);
  complainOf(jobs.invalid, log);
  const config = withOwnSettings(configPath, options.config, jobs);
  const running: Running = { config, secrets: options.secrets, jobs };
  warnOfPolicy(config, log);
  const fleet = createFleetWatch({ ...{ store, version, clock, log }, startedAt: isoTime(clock.now()) });
  const scheduler = createScheduler({
    holderOf: fleet.holderOf,
    ...{ jobs: jobs.jobs, invalid: jobs.invalid, directory: config.jobs.directory },
    context: { config, store, services: services.clients, clock, steady, random, log },
    // This is the scheduler's configuration, and the name of a job.
    settingsOf: (given, name) => (given as Config).jobs[name],
  });
  const writePath = createWritePath({
    config: () => running.config,
    secrets: () => running.secrets,
    ...{ services, store, clock, steady, random, log, redactor },
  });
  await writePath.load();
  retryNow = (service) => {
    scheduler.retryNow(service);
    writePath.executor.retryNow(service);
  };
  const handedOver = createFigures();
  const sinks = startSinks({
    ...{ version, store, clock, steady, random, log, figures: handedOver },
    agentSocket: resolve(socketPaths(config).agent),
    ...{ scrub: redactor.scrub, hide: redactor.hide, holderOf: fleet.holderOf },
  });
  const reload = createReload({
    ...{ running, services, learn, log, configPath, readConfig: options.readConfig },
    onSecrets: setSecrets,
    onAdopted: (now) => sinks.configure(sinksConfig(now)),
    onJobs(now) {
      scheduler.reconfigure(now.config, now.jobs);
      warnOfPolicy(now.config, log);
    },
  });
  const status = () => allServices(running.config, scheduler.list(), services);
  const budgetsNow = () =>
    budgetFigures(budgets).filter(({ service }) => settingsOf(running.config, service).enabled);
  const history = startHistory({
    ...{ store, clock, handedOver },
    ...{ budgets: budgetsNow, services: () => services.all() },
  });
  return {
    ...{ store, health, running, budgets, counts, steady, services, scheduler, writePath, reload, status },
    ...{ sinks, handedOver, budgetsNow, history, fleet },
    audit: createAuditWatch({ store, clock, log }),
  };
}

/** Opens the sockets and starts everything. */
async function start(options: DaemonOptions, parts: Parts, stopping: AbortController): Promise<Daemon> {
  const { version, log, notifier, inherited } = options;
  const { store, health, running, steady, services, scheduler, writePath, sinks, status, audit } = parts;
  const { signal } = stopping;
  const sockets = socketPaths(running.config);
  const report = async (...events: NewEvent[]) => {
    // What cannot be stored now is in the daemon's log; the state itself is in status.
    await store.commitObservation({ source: "daemon", events }).catch(() => {});
  };
  const watchdog = {
    ...{ notifier, store, clock, log, signal },
    pulses: scheduler.pulses,
    lines: () =>
      Object.entries(status()).flatMap(([name, { state }]) =>
        state === "disabled" ? [] : services.of(name).line(state),
      ),
    socket: sockets.agent,
  };
  const reload = async (): Promise<ReloadResult> => {
    await notifier.reloading();
    try {
      return await parts.reload();
    } finally {
      await notifier.ready(await statusLine(watchdog));
    }
  };

  const control = await startControl({
    ...{ sockets, inherited, metricsPort: running.config.control.metrics_port },
    context: controlContext(options, parts, { reload, signal }),
  });
  await writePath.start();
  scheduler.start();
  // What they start may use the sockets at once.
  await sinks.configure(sinksConfig(running));
  log.info({ ...sockets, version, pid: process.pid }, "nexusd is ready");
  await notifier.ready(await statusLine(watchdog));
  const onJump = () => {
    scheduler.wake();
    sinks.look();
  };
  const living = runWatchdog(watchdog);
  const auditing = audit.run(signal);
  const measuring = parts.history.run(signal);
  const seeing = parts.fleet.run(signal);
  const timing = watchClock({ steady, store, clock, log, signal, onJump });
  const watching = watchServices({ status, health, store, report, clock, log, signal });

  return {
    reload,
    async stop(reason) {
      log.info({ reason }, "stopping");
      const told = notifier.stopping();
      await Promise.all([scheduler, writePath.executor, sinks].map((part) => part.stop(WORK_GRACE_MS)));
      stopping.abort(new Error("nexusd is stopping"));
      await Promise.all([watching, living, timing, measuring, seeing, told]);
      await control.close();
      for (const service of services.all()) await service.leave();
      await parts.fleet.leave(reason);
      await within(clock, BUDGETS_WITHIN_MS, parts.budgets.leave());
      await report({ type: "daemon.stopped", source: "/daemon", data: { reason } });
      // A running verification ends with it.
      await store.close();
      await auditing;
      parts.budgets.close();
      log.info("stopped");
    },
  };
}

/** What the control API may use of all this. */
function controlContext(
  { version, log, droppedLogLines }: DaemonOptions,
  parts: Parts,
  own: { reload: Daemon["reload"]; signal: AbortSignal },
): ControlContext {
  const { startedAt, store, running, services, scheduler, sinks, audit, history, fleet, writePath } = parts;
  const { writes, reads, operations } = writePath;
  return {
    ...{ version, startedAt, clock, store, log, scheduler, sinks, writes, reads, operations, audit },
    ...{ history, fleet, ...own },
    services: parts.status,
    storeStatus: parts.health.status,
    limits: () => running.config.limits,
    routes: services.all().flatMap(({ routes }) => routes),
    ownEventTypes: () => ownEventTypes(running.jobs.jobs),
    measured: {
      ...{ droppedLogLines, counts: parts.counts, handedOver: parts.handedOver },
      budgets: parts.budgetsNow,
      ofServices: () => services.all().flatMap(({ metrics }) => metrics),
    },
  };
}

const openBudgets = (
  { config, log }: DaemonOptions,
  node: string,
  values: SharedValues | undefined,
): Budgets =>
  createBudgets({
    clock,
    ...(values ? { fleet: { values, node } } : { directory: join(config.daemon.data_dir, "budgets") }),
    onFailure: (server, error) =>
      error === undefined
        ? log.info({ server }, "the request budget is shared again")
        : values
          ? log.warn(
              { server, err: error },
              "the request budget cannot be shared: no more is sent than was reserved",
            )
          : log.warn({ server, err: error }, "request-budget usage cannot be saved"),
  });

function warnOfPolicy(config: Config, log: Logger): void {
  for (const { path, message } of policyWarnings(config)) log.warn(`${path} ${message}`);
  const ofSigners = signersFileProblem(config);
  if (ofSigners) log.warn(`no signature decides anything: ${ofSigners.message}`);
}
