// The statements on the table of writes; each step is one conditional update. Those that change a row return its new
// state, and nothing if their condition does not hold.

import type { WriteState } from "../../contract/writes.ts";
import type { NewRow, PatchRow } from "../write-rows.ts";
import { named } from "./named.ts";

export const ONE = "SELECT * FROM writes WHERE id = $1";

export const BY_KEY =
  "SELECT * FROM writes WHERE idempotency_key = $1 AND operation = $2 AND coalesce(agent, '') = $3";

export const REJECTED = `SELECT * FROM writes WHERE state = 'rejected' AND digest = $1 AND decided_at > $2
  ORDER BY decided_at DESC LIMIT 1`;

export const INSERT = named<NewRow>(
  `INSERT INTO writes (id, operation, service, state, request, digest, preview, precondition, target, idempotent,
     destructive, approval, reason, agent, idempotency_key, account, token_hash, proposed_at, expires_at, shown_at,
     decided_at, decided_by, note, executing_at, finished_at, attempts, result, outcome)
   VALUES (:id, :operation, :service, :state, :request, :digest, :preview, :precondition, :target, :idempotent,
     :destructive, :approval, :reason, :agent, :idempotency_key, :account, :token_hash, :proposed_at, :expires_at,
     :shown_at, :decided_at, :decided_by, :note, :executing_at, :finished_at, :attempts, :result, :outcome) RETURNING *`,
);

export interface Move extends PatchRow {
  id: string;
  from: WriteState;
  to: WriteState;
  notExpiredAt: string | null;
  /** The hash that the caller presents; null: none is needed. */
  tokenHash: string | null;
  /** JSON of the expected current signers; null: any. */
  signedBefore: string | null;
}

/** The head is locked, so its number of rows is that of this transaction. */
export const MOVE = named<Move & { approvalOrder: number | null }>(
  `UPDATE writes SET state = :to::text,
     decided_at = coalesce(:decided_at::text, decided_at),
     decided_by = coalesce(:decided_by::text, decided_by),
     signed_by = coalesce(:signed_by::text, signed_by),
     note = coalesce(:note::text, note),
     executing_at = coalesce(:executing_at::text, executing_at),
     finished_at = coalesce(:finished_at::text, finished_at),
     attempts = coalesce(:attempts::int, attempts),
     result = coalesce(:result::text, result),
     outcome = coalesce(:outcome::text, outcome),
     approval_order = CASE :to::text WHEN 'approved' THEN :approvalOrder::bigint ELSE approval_order END
   WHERE id = :id AND state = :from AND (:notExpiredAt::text IS NULL OR expires_at > :notExpiredAt)
     AND (:tokenHash::text IS NULL OR token_hash IS NULL OR token_hash = :tokenHash)
     AND (:signedBefore::text IS NULL OR coalesce(signed_by, '[]') = :signedBefore) RETURNING *`,
);

export const SIGN = named<{ id: string; signed_by: string; signedBefore: string; notExpiredAt: string }>(
  `UPDATE writes SET signed_by = :signed_by WHERE id = :id AND state = 'proposed' AND expires_at > :notExpiredAt
     AND coalesce(signed_by, '[]') = :signedBefore RETURNING *`,
);

const claim = (which: string) =>
  `UPDATE writes SET state = 'executing', executing_at = $1, attempts = attempts + 1
   WHERE id = (
     SELECT id FROM writes AS waiting
     WHERE state = 'approved' ${which} AND NOT EXISTS (
       SELECT FROM writes AS running WHERE running.state = 'executing' AND running.target = waiting.target)
     ORDER BY approval_order LIMIT 1) RETURNING *`;
export const CLAIM = claim("");
export const CLAIM_PEOPLES = claim("AND approval <> 'auto'");

export const COUNT_ATTEMPT =
  "UPDATE writes SET attempts = attempts + 1 WHERE id = $1 AND state = 'executing'";

export const PROPOSED = `SELECT id, proposed_at, expires_at FROM writes WHERE state = 'proposed' AND id > $1
  ORDER BY id LIMIT $2`;

export const SHOW = "UPDATE writes SET shown_at = $1 WHERE id = $2 AND shown_at IS NULL RETURNING *";
