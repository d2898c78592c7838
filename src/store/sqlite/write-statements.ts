// The statements on the table of writes; each step is one conditional update.

import type { Database } from "better-sqlite3";
import type { WriteState } from "../../contract/writes.ts";
import { OPEN_STATES } from "../steps.ts";
import type { NewRow, PatchRow, WriteRow } from "../write-rows.ts";

// SQLite compares a bound value with the conditions of partial indices, so it prepares the statement again whenever
// another value is bound, which takes longer than running it. A unary plus hides the value from it.

export type WriteStatements = ReturnType<typeof prepareStatements>;

const OPEN = `(${OPEN_STATES.map((state) => `'${state}'`).join(", ")})`;

/** Each of these returns the row after the change, or nothing if its condition does not hold. */
export const prepareStatements = (db: Database) => ({
  one: db.prepare<[string], WriteRow>("SELECT * FROM writes WHERE id = ?"),
  byKey: db.prepare<[string, string, string], WriteRow>(
    "SELECT * FROM writes WHERE idempotency_key = ? AND operation = ? AND coalesce(agent, '') = ?",
  ),
  rejected: db.prepare<[string, string], WriteRow>(
    `SELECT * FROM writes INDEXED BY writes_rejected
     WHERE state = 'rejected' AND digest = +? AND decided_at > +? ORDER BY decided_at DESC LIMIT 1`,
  ),
  insert: db.prepare<NewRow, WriteRow>(
    `INSERT INTO writes (id, operation, service, state, request, digest, preview, precondition, target, idempotent,
       destructive, approval, reason, agent, idempotency_key, account, token_hash, proposed_at, expires_at, shown_at,
       decided_at, decided_by, note, executing_at, finished_at, attempts, result, outcome)
     VALUES (:id, :operation, :service, :state, :request, :digest, :preview, :precondition, :target, :idempotent,
       :destructive, :approval, :reason, :agent, :idempotency_key, :account, :token_hash, :proposed_at, :expires_at,
       :shown_at, :decided_at, :decided_by, :note, :executing_at, :finished_at, :attempts, :result, :outcome) RETURNING *`,
  ),
  move: db.prepare<
    PatchRow & {
      id: string;
      from: WriteState;
      to: WriteState;
      notExpiredAt: string | null;
      /** The caller's token; null: none is needed. */
      tokenHash: string | null;
      /** JSON of the approvals it must have; null: any. */
      signedBefore: string | null;
    },
    WriteRow
  >(
    `UPDATE writes SET state = :to,
       decided_at = coalesce(:decided_at, decided_at),
       decided_by = coalesce(:decided_by, decided_by),
       signed_by = coalesce(:signed_by, signed_by),
       note = coalesce(:note, note),
       executing_at = coalesce(:executing_at, executing_at),
       finished_at = coalesce(:finished_at, finished_at),
       attempts = coalesce(:attempts, attempts),
       result = coalesce(:result, result),
       outcome = coalesce(:outcome, outcome),
       approval_order = CASE :to
         WHEN 'approved' THEN (SELECT value + 1 FROM meta WHERE key = 'audit_rows') ELSE approval_order END
     WHERE id = :id AND state = +:from AND (:notExpiredAt IS NULL OR expires_at > :notExpiredAt)
       AND (:tokenHash IS NULL OR token_hash IS NULL OR token_hash = :tokenHash)
       AND (:signedBefore IS NULL OR coalesce(signed_by, '[]') = :signedBefore) RETURNING *`,
  ),
  sign: db.prepare<{ id: string; signed_by: string; signedBefore: string; notExpiredAt: string }, WriteRow>(
    `UPDATE writes SET signed_by = :signed_by
     WHERE id = :id AND state = 'proposed' AND expires_at > :notExpiredAt
       AND coalesce(signed_by, '[]') = :signedBefore RETURNING *`,
  ),
  isIn: db
    .prepare<[WriteState, string], number>(
      "SELECT 1 FROM writes INDEXED BY writes_by_state WHERE state = +? AND id = ?",
    )
    .pluck(),
  claimPeoples: db.prepare<[string], WriteRow>(claim("AND approval <> 'auto'")),
  claim: db.prepare<[string], WriteRow>(claim()),
  countAttempt: db.prepare<[string]>(
    "UPDATE writes SET attempts = attempts + 1 WHERE id = ? AND state = 'executing'",
  ),
  proposed: db.prepare<[string, number], Pick<WriteRow, "id" | "proposed_at" | "expires_at">>(
    `SELECT id, proposed_at, expires_at FROM writes INDEXED BY writes_by_state
     WHERE state = 'proposed' AND id > ? ORDER BY id LIMIT ?`,
  ),
  show: db.prepare<[string, string], WriteRow>(
    "UPDATE writes SET shown_at = ? WHERE id = ? AND shown_at IS NULL RETURNING *",
  ),
  newest: db.prepare<[string, number], WriteRow>(
    "SELECT * FROM writes WHERE id < ? ORDER BY id DESC LIMIT ?",
  ),
  newestOf: db
    .prepare<[WriteState, string, number], string>(
      "SELECT id FROM writes INDEXED BY writes_by_state WHERE state = +? AND id < ? ORDER BY id DESC LIMIT ?",
    )
    .pluck(),
  newestOnTarget: db.prepare<Narrowed & { target: string }, string>(newestWith("target")).pluck(),
  newestByOperation: db.prepare<Narrowed & { operation: string }, string>(newestWith("operation")).pluck(),
});

interface Narrowed {
  /** Null, as below: any. */
  operation: string | null;
  /** JSON. */
  states: string | null;
  after: string;
  limit: number;
}

/** Without a look at the writes themselves, which may be long. */
function newestWith(column: "target" | "operation"): string {
  return `SELECT id FROM writes INDEXED BY writes_by_${column}
    WHERE ${column} = :${column} AND id < :after AND (:operation IS NULL OR operation = :operation)
      AND (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    ORDER BY id DESC LIMIT :limit`;
}

/**
 * The number of open writes and their bytes, in a table of this connection alone. It changes and rolls back with the
 * transaction that opens or closes a write, so proposals that are committed together see each other.
 */
export const createOpenTotals = (db: Database) => {
  db.exec(
    `CREATE TEMP TABLE open_totals AS
     SELECT count(*) AS writes, coalesce(sum(octet_length(request) + octet_length(preview)), 0) AS bytes
     FROM writes INDEXED BY writes_by_state WHERE state IN ${OPEN}`,
  );
  const read = db.prepare<[], OpenTotals>("SELECT writes, bytes FROM temp.open_totals");
  const add = db.prepare<OpenTotals>(
    "UPDATE temp.open_totals SET writes = writes + :writes, bytes = bytes + :bytes",
  );
  return {
    read: (): OpenTotals => read.get() ?? { writes: 0, bytes: 0 },
    /** Inside a transaction. */
    add: (totals: OpenTotals) => void add.run(totals),
  };
};

interface OpenTotals {
  writes: number;
  bytes: number;
}

const claim = (which = "") =>
  `UPDATE writes SET state = 'executing', executing_at = ?, attempts = attempts + 1
   WHERE id = (
     SELECT id FROM writes AS waiting INDEXED BY writes_waiting
     WHERE state = 'approved' ${which} AND NOT EXISTS (
       SELECT 1 FROM writes AS running WHERE running.state = 'executing' AND running.target = waiting.target)
     ORDER BY approval_order LIMIT 1) RETURNING *`;
