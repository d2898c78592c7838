// The list of jobs: the built-in ones, and those of the configured directory.

import retention from "../../jobs/retention.ts";
import type { InvalidFile, Job } from "../scheduler/job.ts";
import { loadJobs, type OwnJobs } from "../scheduler/load-jobs.ts";
import { SERVICE_NAMES, SERVICES } from "../services/list.ts";
import { formatPath } from "./problems.ts";

/** Those of the services, and those about nexusd itself. */
async function builtInJobs(): Promise<Job[]> {
  const ofServices = await Promise.all(SERVICES.map(async (service) => (await service.load()).jobs));
  return [...ofServices.flat(), retention];
}

export interface FoundJobs {
  jobs: Job[];
  invalid: readonly InvalidFile[];
  /** Those of the directory; undefined: none is configured. */
  own: OwnJobs | undefined;
}

/** @param before the previous result: unchanged files are not loaded again */
export async function findJobs(directory: string | undefined, before?: FoundJobs): Promise<FoundJobs> {
  const builtIn = await builtInJobs();
  if (directory === undefined) return { jobs: builtIn, invalid: [], own: undefined };
  const known = { jobs: builtIn.map(({ name }) => name), services: SERVICE_NAMES };
  const own = await loadJobs(directory, known, { before: before?.own });
  return { jobs: [...builtIn, ...own.jobs], invalid: own.invalid, own };
}

/** The tables of jobs that were reloaded, added or removed between the two, as TOML paths. */
export function reloadedJobs(before: FoundJobs, after: FoundJobs): string[] {
  if (before.own?.fingerprint === after.own?.fingerprint) return [];
  const names = [before, after].flatMap(({ own }) => own?.jobs.map(({ name }) => name) ?? []);
  return [...new Set(names)].map((name) => formatPath(["jobs", name]));
}
