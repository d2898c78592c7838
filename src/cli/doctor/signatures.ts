// doctor: whether signed decisions can be verified: ssh-keygen, and the signers file.

import type { Config } from "../../config/schema.ts";
import { SignatureError } from "../../signatures/error.ts";
import { hasKeygen } from "../../signatures/keygen.ts";
import { readSignersFile } from "../../signatures/signers-file.ts";
import { placeOf } from "../places.ts";
import { type Check, fail, ok, warn } from "./doctor.ts";

/** Empty if no decision needs a signature. */
export function examineSignatures(approvals: Config["approvals"], configPath: string): Check[] {
  if (approvals.signers === undefined) return [];
  const signers = placeOf(approvals.signers, configPath).path;
  const check = "signatures";
  const keygen = hasKeygen()
    ? []
    : [fail(check, "ssh-keygen is missing: no signature can be verified", "Install openssh-client.")];
  try {
    const { names, hasPatterns } = readSignersFile(signers);
    const who = [...names, ...(hasPatterns ? ["others by patterns"] : [])].join(", ");
    if (who === "")
      return [
        ...keygen,
        warn(check, `${signers} names nobody`, "Add a line for each person: docs/decisions.md"),
      ];
    return [...keygen, ...(keygen.length > 0 ? [] : [ok(check, `${signers} lets sign: ${who}`)])];
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    return [
      ...keygen,
      fail(check, error.message, "See docs/decisions.md; the daemon has to be able to read it."),
    ];
  }
}
