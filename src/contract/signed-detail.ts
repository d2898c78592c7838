// What the audit row of a signed decision stores besides the step: enough to verify it again, on any machine.

import { z } from "zod";
import { parseJson } from "../core/exact-json.ts";
import { doorOf } from "./actor.ts";
import { DECISIONS } from "./signing.ts";
import type { AuditRow } from "./writes.ts";

const signedDetail = z.object({
  decision: z.enum(DECISIONS),
  signer: z.string(),
  /** The fingerprint of the key, "SHA256:…". */
  key: z.string(),
  /** The signed text, byte for byte. */
  statement: z.string(),
  /** Armored. */
  signature: z.string(),
});

export type SignedDetail = z.output<typeof signedDetail>;

/** undefined: the row is not about a signed decision. */
export function readSignedDetail({
  actor,
  detail,
}: Pick<AuditRow, "actor" | "detail">): SignedDetail | undefined {
  if (doorOf(actor) !== "signature") return undefined;
  try {
    return signedDetail.parse(parseJson(detail));
  } catch {
    return undefined;
  }
}
