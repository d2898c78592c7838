// A reload of the configuration: what it changes, and what needs a restart.

import type { Logger } from "pino";
import { type FoundJobs, findJobs, reloadedJobs } from "../config/find-jobs.ts";
import { withOwnSettings } from "../config/own-settings.ts";
import type { Config } from "../config/schema.ts";
import type { ResolvedSecrets } from "../config/secrets.ts";
import type { ReloadResult } from "../contract/api/reload.ts";
import { isObject } from "../core/is-object.ts";
import type { RunningServices } from "./services.ts";

/** What the daemon currently runs with. A reload replaces all of it. */
export interface Running {
  config: Config;
  secrets: ResolvedSecrets;
  jobs: FoundJobs;
}

/**
 * Reads the configuration and the job files again, and applies what can change now.
 * @returns a function that reloads; it throws ConfigError, and then the old configuration stays
 */
export function createReload(options: {
  running: Running;
  /** The file of the configuration. */
  configPath: string;
  /** @throws ConfigError */
  readConfig: () => Pick<Running, "config" | "secrets">;
  services: Pick<RunningServices, "recall" | "connect" | "adopt">;
  /** Called with the new secrets before anything uses them. */
  learn: (secrets: ResolvedSecrets) => void;
  /** Called with the new secrets before they are adopted. @throws StoreError: nothing is */
  onSecrets: (secrets: ResolvedSecrets) => Promise<void>;
  /** Called with what runs from now on. */
  onJobs: (now: Running) => void;
  /** The same, when the services have adopted it. @throws StoreError */
  onAdopted: (now: Running) => Promise<void>;
  log: Logger;
}): () => Promise<ReloadResult> {
  const { running, configPath, services, log } = options;
  return async () => {
    const next = options.readConfig();
    const jobs = await findJobs(running.config.jobs.directory, running.jobs);
    const nextConfig = withOwnSettings(configPath, next.config, jobs);
    const changed = [
      ...new Set([...changedPaths(running.config, nextConfig), ...reloadedJobs(running.jobs, jobs)]),
    ];
    if (changed.length === 0 && sameSecrets(running.secrets, next.secrets)) {
      log.info("configuration reloaded: nothing changed");
      return { applied: [], restartNeeded: [] };
    }
    const config = reloadedConfig(running.config, nextConfig);
    options.learn(next.secrets);
    await options.onSecrets(next.secrets);
    await services.recall();
    services.connect({ config, secrets: next.secrets });
    log.level = config.daemon.log_level;
    if (jobs !== running.jobs) complainOf(jobs.invalid, log);
    Object.assign(running, { config, secrets: next.secrets, jobs } satisfies Running);
    options.onJobs(running);
    await services.adopt();
    await options.onAdopted(running);
    const applied = changed.filter((path) => !isFixedAtStart(path));
    const restartNeeded = changed.filter(isFixedAtStart);
    log.info({ applied, restartNeeded }, "configuration reloaded");
    if (restartNeeded.length > 0) log.warn({ restartNeeded }, "some changes need a restart of nexusd");
    return { applied, restartNeeded };
  };
}

/** Reports each job file that was not loaded, and why. */
export function complainOf(invalid: FoundJobs["invalid"], log: Logger): void {
  for (const { file, line, message } of invalid)
    log.error({ file, ...(line !== undefined && { line }) }, `a job was not loaded: ${message}`);
}

const FIXED_AT_START = [
  ...["daemon.data_dir", "daemon.node", "daemon.log_format", "control", "jobs.directory"],
  ...["store.kind", "store.url", "store.schema"],
];

const isFixedAtStart = (path: string): boolean =>
  FIXED_AT_START.some((fixed) => path === fixed || path.startsWith(`${fixed}.`));

/** The new configuration, with unchanged values where a restart is needed, so that status and sockets agree. */
const reloadedConfig = (running: Config, next: Config): Config => ({
  ...next,
  daemon: { ...running.daemon, log_level: next.daemon.log_level },
  control: running.control,
  store: { ...next.store, ...pickStore(running.store) },
  jobs: { ...next.jobs, directory: running.jobs.directory },
});

const pickStore = ({ kind, url, schema }: Config["store"]) => ({ kind, ...(url && { url }), schema });

/** The TOML paths whose values differ, tables walked through, lists compared whole. */
export function changedPaths(before: unknown, after: unknown, path = ""): string[] {
  if (!isObject(before) || !isObject(after))
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
    changedPaths(before[key], after[key], path === "" ? key : `${path}.${key}`),
  );
}

const sameSecrets = (a: ResolvedSecrets, b: ResolvedSecrets): boolean =>
  JSON.stringify(revealed(a)) === JSON.stringify(revealed(b));

/** In the order of the file, which is the same where the configuration is. */
const revealed = (secrets: ResolvedSecrets) =>
  Object.entries(secrets).map(([owner, keys]) => [
    owner,
    Object.entries(keys).map(([key, secret]) => [key, secret.reveal()]),
  ]);
