// Removes the long fields of writes that finished long ago. The rest still verifies: the audit row about the removal
// covers the columns as they are after it.

import { coversOf } from "../../contract/audit-cover.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { NEXUSD, withoutBody } from "../steps.ts";
import { appendAudit } from "./audit.ts";
import type { Transaction } from "./transaction.ts";

// A small transaction, so that commits and readers get their turn in between.
const REMOVED_AT_ONCE = 50;

const DUE = `SELECT id, digest, operation, result FROM writes
  WHERE coalesce(finished_at, decided_at, proposed_at) < $1 AND body_removed_at IS NULL
    AND state IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved')
  ORDER BY coalesce(finished_at, decided_at, proposed_at) LIMIT ${REMOVED_AT_ONCE}`;

export async function removeBodies(
  transaction: Transaction,
  before: string,
  at: string,
): Promise<{ removed: number; more: boolean }> {
  type Due = { id: string; digest: string; operation: string; result: string | null };
  const found = await transaction.query<Due>(DUE, [before]);
  for (const { id, digest, operation, result } of found) {
    const set = withoutBody(result, at);
    await transaction.run(
      "UPDATE writes SET request = $2, preview = $3, precondition = $4, result = $5, body_removed_at = $6 WHERE id = $1",
      [id, set.request, set.preview, set.precondition, set.result, set.body_removed_at],
    );
    const detail = canonicalRecord({ operation });
    const covers = coversOf(set, undefined);
    await appendAudit(transaction, {
      at,
      action: "body_removed",
      write: { id, digest },
      actor: NEXUSD,
      detail,
      covers,
    });
  }
  return { removed: found.length, more: found.length === REMOVED_AT_ONCE };
}
