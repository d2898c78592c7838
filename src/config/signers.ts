// The signers file, and the policies that name signers.

import { SignatureError } from "../signatures/error.ts";
import { readSignersFile, type SignersFile } from "../signatures/signers-file.ts";
import type { Problem } from "./error.ts";
import type { Config } from "./schema.ts";

type Approvals = Pick<Config, "approvals">;

/** The problem of the file itself; undefined: none, or no file is configured. */
export function signersFileProblem({ approvals: { signers } }: Approvals): Problem | undefined {
  if (signers === undefined) return undefined;
  try {
    readSignersFile(signers);
    return undefined;
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    return { path: "approvals.signers", message: error.message };
  }
}

/** Policies that require a person, or a number of people, that the file does not have. Empty if it cannot be read. */
export function signerProblems(config: Approvals): Problem[] {
  const { signers: path, policy } = config.approvals;
  if (path === undefined || signersFileProblem(config)) return [];
  const file = readSignersFile(path);
  return Object.entries(policy).flatMap(([pattern, rule]) => {
    if (typeof rule !== "object") return [];
    const at = `approvals.policy.${JSON.stringify(pattern)}`;
    const unknown = (rule.signers ?? []).filter((name) => !file.has(name));
    if (unknown.length > 0)
      return [
        {
          path: `${at}.signers`,
          message: `names ${unknown.join(", ")}, not in the file of signers (${path})`,
        },
      ];
    const most = rule.signers === undefined && !file.hasPatterns ? file.names.length : undefined;
    return most !== undefined && rule.quorum > most ? [tooFew(at, rule.quorum, file)] : [];
  });
}

const tooFew = (at: string, quorum: number, { names }: SignersFile): Problem => ({
  path: `${at}.quorum`,
  value: String(quorum),
  message: `needs more signatures than the file of signers has names (${names.length}): nothing could be approved`,
});
