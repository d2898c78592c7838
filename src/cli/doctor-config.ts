// doctor: the configuration, every problem of it, and the secrets that it refers to.

import { accessSync, constants } from "node:fs";
import { findConfig, type Inspection, inspectConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../config/problems.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";
import { ownerOf } from "./doctor-local.ts";

/** @param isRunning whether a daemon runs, which then has its secrets, be they readable here or not */
export function examineConfig(
  explicit: string | undefined,
  env: NodeJS.ProcessEnv,
  isRunning: boolean,
): { checks: Check[]; path: string; inspection: Inspection | undefined } {
  let path: string;
  try {
    path = findConfig(explicit, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return {
      checks: [fail("config", error.message, "Name it with --config FILE.")],
      path: "",
      inspection: undefined,
    };
  }

  if (isForOthers(path)) return { checks: [ofOthers(path, isRunning)], path, inspection: undefined };
  const { problems } = inspectConfig({ path, env, resolveSecrets: false });
  const inspection = inspectConfig({ path, env });
  const known = new Set(problems.map((problem) => formatProblem(path, problem)));
  const remedy = `Change ${path}, then: nexusd check --config ${path}`;
  const missing = inspection.problems
    .map((problem) => formatProblem(path, problem))
    .filter((text) => !known.has(text));
  const checks = [
    ...[...known].map((text) => fail("config", text, remedy)),
    ...missing.map((text) =>
      isRunning
        ? warn("secrets", `${text} (for this user; the daemon that runs may have it)`)
        : fail("secrets", text, "Set it where the daemon is started, or change the reference."),
    ),
    ...inspection.warnings.map((problem) => warn("secrets", formatProblem(path, problem))),
  ];
  return {
    checks: known.size === 0 ? [ok("config", `${path} is valid`), ...checks] : checks,
    path,
    inspection,
  };
}

/** Whether it is there, and not for this user to read: nothing that she could mend. */
function isForOthers(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EACCES";
  }
}

const ofOthers = (path: string, isRunning: boolean): Check => {
  const owner = ownerOf(path);
  const detail = `${path} is for ${owner} to read, and was not looked at`;
  return isRunning
    ? ok("config", `${detail}; the daemon runs with it`)
    : warn("config", detail, `Run doctor as ${owner}.`);
};
