// Policies that are valid but probably not intended.

import type { Config } from "../config/schema.ts";
import { declaredOperations } from "../services/catalogue.ts";
import { hasKeygen } from "../signatures/keygen.ts";
import { createPolicy, patternsOfNothing } from "../writes/policy.ts";

/** @returns the TOML path of each, and what is to be said of it */
export function policyWarnings(config: Pick<Config, "approvals">): { path: string; message: string }[] {
  const names = declaredOperations.map(({ name }) => name);
  const ofNothing = patternsOfNothing(config, names).map(({ pattern, message }) => ({
    path: `approvals.policy."${pattern}"`,
    message,
  }));
  const found = [...ofNothing, ...(config.approvals.signers === undefined || hasKeygen() ? [] : [NO_KEYGEN])];
  if (!createPolicy(config).isEverythingAuto()) return found;
  const message = "makes every write automatic: no person is asked any more";
  return [...found, { path: "approvals.policy", message }];
}

const NO_KEYGEN = {
  path: "approvals.signers",
  message: "lets nobody decide: ssh-keygen is missing, which verifies signatures. Install openssh-client",
};
