// Loads the jobs of a directory: one job per file, as its default export. A bad file does not affect the others.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { InvalidFile, Job } from "./job.ts";
import { readFiles } from "./job-files.ts";
import { importDefault, JobFileError, prepareImports } from "./job-modules.ts";
import { type FieldFault, parseJob } from "./job-schema.ts";

export interface OwnJobs {
  jobs: Job[];
  invalid: InvalidFile[];
  /** A fingerprint of the directory's contents: it stays the same while nothing changes. */
  fingerprint: string;
}

/** What exists already. */
export interface Known {
  /** Names of jobs that are taken. */
  jobs: Iterable<string>;
  /** The services that a job can belong to. */
  services: readonly string[];
}

const EXAMPLE = 'export default { name: "my-job", description: "…", kind: "cron", … }';

const isJobFile = (name: string) =>
  /^[^/]+\.(js|mjs|ts|mts)$/.test(name) && !/\.(test|spec)\.|\.d\.m?ts$/.test(name) && !/^[._]/.test(name); // "_" marks a module that jobs share

/**
 * Loads each file; loads it again if anything in the directory has changed since this process last loaded it.
 * @param before the previous result; returned if nothing has changed
 */
export async function loadJobs(
  directory: string,
  known: Known,
  { importTimeoutMs = 10_000, before }: { importTimeoutMs?: number; before?: OwnJobs | undefined } = {},
): Promise<OwnJobs> {
  const files = await readFiles(directory);
  if ("code" in files) {
    const message = `cannot be read (${files.code}); create the directory, or correct [jobs] directory`;
    return { jobs: [], invalid: [{ file: directory, message }], fingerprint: "" };
  }
  const { fingerprint } = files;
  if (before?.fingerprint === fingerprint) return before;
  prepareImports(directory, fingerprint);
  const loaded: OwnJobs = { jobs: [], invalid: [], fingerprint };
  const owners = new Map([...known.jobs].map((name) => [name, "a built-in job"]));
  for (const name of files.names.filter(isJobFile)) {
    const file = join(directory, name);
    try {
      const exported = await importDefault(file, importTimeoutMs);
      if (exported === undefined) throw new JobFileError(`has no default export; write \`${EXAMPLE}\``);
      const job = parseJob(exported, known.services);
      if (Array.isArray(job)) throw await wrongFields(file, job);
      const owner = owners.get(job.name);
      if (owner !== undefined)
        throw await wrongFields(file, [
          { field: "name", message: `${JSON.stringify(job.name)} is taken by ${owner}` },
        ]);
      owners.set(job.name, name);
      loaded.jobs.push(job);
    } catch (error) {
      if (!(error instanceof JobFileError)) throw error;
      const { message, line } = error;
      loaded.invalid.push({ file, ...(line !== undefined && { line }), message });
    }
  }
  return loaded;
}

/** Every wrong field, and the line of the first of them that is present, else that of the export. */
async function wrongFields(file: string, faults: FieldFault[]): Promise<JobFileError> {
  const message = faults.map(({ field, message }) => `${field || "default export"}: ${message}`).join("; ");
  const source = await readFile(file, "utf8").catch(() => "");
  const found = faults
    .map(({ field }) => lineOf(source, keyPattern(field)))
    .find((line) => line !== undefined);
  return new JobFileError(message, found ?? lineOf(source, /\bexport\s+default\b/));
}

/** Finds the key of a field, as far as that is possible without a parser. */
function keyPattern(field: string): RegExp | undefined {
  const isEvent = /^events\.(?<type>.*\..*)/.exec(field)?.groups?.type;
  const key = isEvent ?? field.split(".").at(-1) ?? "";
  const literally = key.replace(/[^\w]/g, "\\$&");
  return key === "" ? undefined : new RegExp(`(?:^|[\\s{,])["']?${literally}["']?\\s*[:(,}]`, "m");
}

/** From 1. */
function lineOf(source: string, pattern: RegExp | undefined): number | undefined {
  const found = pattern?.exec(source);
  return found ? source.slice(0, found.index + found[0].search(/\S/)).split("\n").length : undefined;
}
