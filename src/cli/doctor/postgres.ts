// doctor: the configured PostgreSQL schema, inspected beside the daemon.

import { StoreError } from "../../contract/store.ts";
import { checkPostgres } from "../../store/postgres/inspect.ts";
import { furtherDifferences } from "../../writes/remake.ts";
import { findDatabase } from "../database.ts";
import { WrongUsage } from "../problem.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

export async function examinePostgres(
  configFile: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Check[]> {
  const check = "database";
  try {
    const chosen = findDatabase(undefined, configFile, env);
    if (chosen.kind !== "postgres") return [];
    const findings = await checkPostgres(chosen.target, furtherDifferences);
    return findings.map(({ check: what, ok: isGood, detail }) =>
      isGood
        ? ok(check, `${chosen.target.place}: ${what}: ${detail}`)
        : fail(
            check,
            `${chosen.target.place}: ${what}: ${detail}`,
            "See docs/fleet.md; nexusctl db check looks again.",
          ),
    );
  } catch (error) {
    if (error instanceof WrongUsage) return [warn(check, error.message)];
    if (!(error instanceof StoreError)) throw error;
    const [detail = "", remedy = ""] = error.message.split(/; (?=[^;]*$)/);
    return [fail(check, detail, `${remedy.charAt(0).toUpperCase()}${remedy.slice(1)}.`)];
  }
}
