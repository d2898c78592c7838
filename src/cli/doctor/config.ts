// doctor: the configuration, all its problems, and the secrets it refers to.

import { accessSync, constants } from "node:fs";
import { ConfigError, formatProblem } from "../../config/error.ts";
import { findConfig } from "../../config/find.ts";
import { type Inspection, inspectConfig } from "../../config/load.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";
import { ownerOf } from "./local.ts";

/** @param reported the running daemon's view of its services: one that is ok has its secrets, readable here or not */
export function examineConfig(
  explicit: string | undefined,
  env: NodeJS.ProcessEnv,
  reported: Reported | undefined,
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

  if (isForOthers(path))
    return { checks: [ofOthers(path, reported !== undefined)], path, inspection: undefined };
  const { problems } = inspectConfig({ path, env, resolveSecrets: false });
  const inspection = inspectConfig({ path, env });
  const known = new Set(problems.map((problem) => formatProblem(path, problem)));
  const remedy = `Change ${path}, then: nexusd check --config ${path}`;
  const missing = inspection.problems
    .map((problem) => ({ text: formatProblem(path, problem), service: problem.path.split(".", 1)[0] ?? "" }))
    .filter(({ text }) => !known.has(text));
  const checks = [
    ...[...known].map((text) => fail("config", text, remedy)),
    ...missing.map(({ text, service }) =>
      reported === undefined
        ? fail("secrets", text, "Set it where the daemon is started, or change the reference.")
        : reported[service]?.state === "ok"
          ? ok("secrets", `${text} here; the running daemon has it`)
          : warn("secrets", `${text} (for this user; the running daemon may have it)`),
    ),
    ...inspection.warnings.map((problem) => warn("secrets", formatProblem(path, problem))),
  ];
  return {
    checks: known.size === 0 ? [ok("config", `${path} is valid`), ...checks] : checks,
    path,
    inspection,
  };
}

type Reported = Readonly<Record<string, { state: string } | undefined>>;

/** Whether it exists but is not readable by this user, who cannot fix that. */
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
  const detail = `${path} is readable by ${owner} only, and was not checked`;
  return isRunning
    ? ok("config", `${detail}; the daemon runs with it`)
    : warn("config", detail, `Run doctor as ${owner}.`);
};
