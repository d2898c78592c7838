// Removes the long fields of writes that finished long ago. The rest still verifies: the audit row of the removal
// covers the columns as they are after it.

import type { Database } from "better-sqlite3";
import { coversOf } from "../../contract/audit-cover.ts";
import type { AuditRow } from "../../contract/writes.ts";
import { canonicalRecord } from "../../core/canonical-json.ts";
import { NEXUSD, withoutBody } from "../steps.ts";
import type { AuditLog } from "./audit.ts";

// A small transaction, so that commits and readers get their turn in between.
const REMOVED_AT_ONCE = 50;

export const createBodyRemoval = (db: Database, audit: AuditLog) => {
  const due = db.prepare<[string], { id: string; digest: string; operation: string; result: string | null }>(
    `SELECT id, digest, operation, result FROM writes INDEXED BY writes_with_body
     WHERE coalesce(finished_at, decided_at, proposed_at) < ? AND body_removed_at IS NULL
       AND state IN ('succeeded', 'failed', 'rejected', 'expired', 'cancelled', 'resolved')
     ORDER BY coalesce(finished_at, decided_at, proposed_at) LIMIT ${REMOVED_AT_ONCE}`,
  );
  const remove = db.prepare<{
    id: string;
    request: string;
    preview: string;
    precondition: null;
    result: string | null;
    body_removed_at: string;
  }>(
    `UPDATE writes SET request = :request, preview = :preview, precondition = :precondition, result = :result,
       body_removed_at = :body_removed_at WHERE id = :id`,
  );

  /** Runs inside a transaction. @returns the audit rows of the removal */
  return (before: string, at: string): { rows: AuditRow[]; more: boolean } => {
    const found = due.all(before);
    const rows = found.map(({ id, digest, operation, result }) => {
      const set = withoutBody(result, at);
      remove.run({ id, ...set });
      const detail = canonicalRecord({ operation });
      const covers = coversOf(set, undefined);
      return audit.append({
        at,
        action: "body_removed",
        write: { id, digest },
        actor: NEXUSD,
        detail,
        covers,
      });
    });
    return { rows, more: found.length === REMOVED_AT_ONCE };
  };
};
