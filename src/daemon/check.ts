// `nexusd check`: reports everything that is wrong with the configuration and the job files.

import { ConfigError, formatProblem } from "../config/error.ts";
import { findConfig } from "../config/find.ts";
import { inspectConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { Env } from "../config/secrets.ts";

interface CheckOptions {
  env: Env;
  /** Takes the result: one line for each problem and one at the end, each with its line break. */
  out: (line: string) => unknown;
  /** Receives what is said beside the result: warnings. */
  err: (line: string) => unknown;
}

const STANDARD: CheckOptions = {
  env: process.env,
  out: (line) => process.stdout.write(line),
  err: (line) => process.stderr.write(line),
};

/**
 * Checks the file given, else the one that the daemon would find.
 * @returns the exit code: 0 for a configuration that the daemon would start with, else 1
 */
export async function runCheck(
  explicit: string | undefined,
  { env, out, err }: CheckOptions = STANDARD,
): Promise<number> {
  let path: string;
  try {
    path = findConfig(explicit, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    out(`${error.message}\n`);
    return 1;
  }

  const { problems, warnings, notes, jobsDirectory, config } = inspectConfig({ path, env });
  const lines = problems.map((problem) => formatProblem(path, problem));
  if (jobsDirectory !== undefined) lines.push(...(await jobProblems(path, jobsDirectory, config)));

  for (const warning of [...warnings, ...(config ? await ofPolicy(config) : [])])
    err(`${formatProblem(path, { ...warning, message: `warning: ${warning.message}` })}\n`);
  for (const note of notes) err(`${formatProblem(path, { ...note, message: `note: ${note.message}` })}\n`);
  for (const line of lines) out(`${line}\n`);
  if (lines.length === 0) out(`${formatProblem(path, { path: "", message: "ok" })}\n`);
  else out(`${lines.length} ${lines.length === 1 ? "problem" : "problems"}\n`);
  return lines.length === 0 ? 0 : 1;
}

async function ofPolicy(config: Config) {
  // Loaded only here: it brings the operations of all services with it.
  const { policyWarnings } = await import("./policy-warnings.ts");
  return policyWarnings(config);
}

async function jobProblems(path: string, directory: string, config: Config | undefined): Promise<string[]> {
  // Loaded only where there are job files: it brings the jobs and the scheduler with it.
  const { findJobs } = await import("../config/find-jobs.ts");
  const { readOwnSettings } = await import("../config/own-settings.ts");
  const found = await findJobs(directory);
  const settings = config ? readOwnSettings(config, found).problems : [];
  return [
    ...settings.map((problem) => formatProblem(path, problem)),
    ...found.invalid.map(({ file, ...problem }) => formatProblem(file, { path: "", ...problem })),
  ];
}
