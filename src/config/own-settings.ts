// The tables `[jobs.<name>]` of own jobs, which only those jobs can parse.

import { explain } from "../core/explain-issue.ts";
import { nearest } from "../core/text/nearest.ts";
import type { Job } from "../scheduler/job.ts";
import { ownEventTypes } from "../scheduler/own-events.ts";
import { ConfigError, type Problem } from "./error.ts";
import type { FoundJobs } from "./find-jobs.ts";
import { formatPath, isKnownKey, unknownKey } from "./problems.ts";
import type { Config } from "./schema.ts";
import { sinkTypeProblems } from "./sink-types.ts";

/** The configuration with these tables parsed by the jobs' own schemas, and their problems. */
export function readOwnSettings(config: Config, found: FoundJobs): { config: Config; problems: Problem[] } {
  const own = new Map(found.own?.jobs.map((job) => [job.name, job]));
  const tables: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(config.jobs)) {
    if (isKnownKey(["jobs"], name)) continue;
    const job = own.get(name);
    if (job?.settings) tables[name] = value;
    else if (job) problems.push({ path: formatPath(["jobs", name]), message: NO_SETTINGS });
    // It may belong to a job whose file is invalid, which is reported for that file.
    else if (found.invalid.length === 0)
      problems.push({ path: formatPath(["jobs", name]), message: unknownTable(name, [...own.values()]) });
  }
  for (const { name, settings } of own.values()) {
    if (!settings) continue;
    const parsed = settings.safeParse(tables[name] ?? {}, { error: explain });
    if (parsed.success) tables[name] = parsed.data;
    else
      for (const { path, message } of parsed.error.issues)
        problems.push({ path: formatPath(["jobs", name, ...path.map(asPart)]), message });
  }
  problems.push(...unknownTypes(config, found));
  return { config: { ...config, jobs: { ...config.jobs, ...tables } }, problems };
}

function unknownTypes(config: Config, { own, invalid }: FoundJobs): Problem[] {
  const jobs = own?.jobs ?? [];
  // A job without declarations may log any type, and an invalid one may declare types that are unknown here.
  if (invalid.length > 0 || jobs.some(({ events }) => !events)) return [];
  return sinkTypeProblems(config, ownEventTypes(jobs));
}

/** @throws ConfigError */
export function withOwnSettings(path: string, config: Config, found: FoundJobs): Config {
  const read = readOwnSettings(config, found);
  if (read.problems.length > 0) throw new ConfigError(path, read.problems);
  return read.config;
}

const NO_SETTINGS = "is the table of a job that has no settings: its file declares none";

const asPart = (part: PropertyKey) => (typeof part === "number" ? part : String(part));

function unknownTable(name: string, own: Job[]): string {
  const [meant] = nearest(
    name,
    own.filter(({ settings }) => settings).map((job) => job.name),
  );
  return meant === undefined ? unknownKey(["jobs"], name) : `is not a known key: did you mean "${meant}"?`;
}
