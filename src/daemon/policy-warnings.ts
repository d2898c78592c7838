// What works in a policy but was hardly meant.

import type { Config } from "../config/schema.ts";
import { declaredOperations } from "../services/catalogue.ts";
import { createPolicy, patternsOfNothing } from "../writes/policy.ts";

/** @returns the TOML path of each, and what is to be said of it */
export function policyWarnings(config: Pick<Config, "approvals">): { path: string; message: string }[] {
  const names = declaredOperations.map(({ name }) => name);
  const ofNothing = patternsOfNothing(config, names).map(({ pattern, message }) => ({
    path: `approvals.policy."${pattern}"`,
    message,
  }));
  if (!createPolicy(config).isEverythingAuto()) return ofNothing;
  const message = "makes every write automatic: nothing asks a person any more";
  return [...ofNothing, { path: "approvals.policy", message }];
}
