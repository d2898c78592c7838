// Maps a row of the audit log to a row of its table, and back.

import type { Actor } from "../contract/actor.ts";
import type { AuditAction, AuditRow, Write } from "../contract/writes.ts";

export interface AuditEntry {
  at: string;
  action: AuditAction;
  /** Empty: the row is about the audit log itself. */
  write: Pick<Write, "id" | "digest">;
  actor: Actor;
  /** Canonical JSON. */
  detail: string;
  /** What the row covers of the write, from src/contract/audit-cover.ts; left out for a row about the log itself. */
  covers?: string;
}

export interface Row {
  sequence: number;
  at: string;
  // As nexusd writes these two; a change by anything else shows in the hash.
  action: AuditAction;
  via: Actor["via"];
  user: string | null;
  signer: string | null;
  write_id: string;
  digest: string;
  detail: string;
  covers: string | null;
  previous_hash: string;
  hash: string;
}

export const toRow = ({ writeId, actor, previousHash, covers, ...row }: AuditRow): Row => ({
  ...row,
  covers: covers ?? null,
  write_id: writeId,
  via: actor.via,
  user: actor.user,
  signer: actor.signer ?? null,
  previous_hash: previousHash,
});

export const toAuditRow = ({
  write_id,
  via,
  user,
  signer,
  previous_hash,
  covers,
  ...row
}: Row): AuditRow => ({
  ...row,
  ...(covers !== null && { covers }),
  writeId: write_id,
  actor: { via, user, ...(signer !== null && { signer }) },
  previousHash: previous_hash,
});
