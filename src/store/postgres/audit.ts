// The audit log: append-only rows, each with the hash of the previous one.

import { auditHash, type Break, beginningAfter, type Chain, GENESIS_HASH } from "../../contract/audit.ts";
import { notApproved, type StoredColumns } from "../../contract/audit-cover.ts";
import type { AuditVerdict } from "../../contract/write-store.ts";
import type { AuditMark, AuditRow } from "../../contract/writes.ts";
import { type AuditEntry, type Row, toAuditRow, toRow } from "../audit-rows.ts";
import type { Connection } from "./connection.ts";
import { named } from "./named.ts";
import type { Transaction } from "./transaction.ts";

/** A reading connection, or a transaction. */
export type Queries = Pick<Connection, "query">;

const INSERT = named<Row>(
  `INSERT INTO audit (sequence, at, action, write_id, digest, via, "user", signer, detail, covers, previous_hash, hash)
   VALUES (:sequence, :at, :action, :write_id, :digest, :via, :user, :signer, :detail, :covers, :previous_hash, :hash)`,
);

export async function appendAudit(
  transaction: Transaction,
  { at, action, write, actor, detail, covers }: AuditEntry,
): Promise<AuditRow> {
  const { head } = transaction;
  if (head.audit_rows === null || head.audit_head === null)
    throw new Error("the last row of the audit log is not known: something else changed the database");
  const row = {
    sequence: head.audit_rows + 1,
    at,
    action,
    writeId: write.id,
    digest: write.digest,
    actor,
    detail,
    ...(covers !== undefined && { covers }),
    previousHash: head.audit_head,
  };
  const hash = auditHash(row);
  const whole = { ...row, hash };
  await transaction.query(INSERT.text, INSERT.values(toRow(whole)));
  head.audit_rows = row.sequence;
  head.audit_head = hash;
  return whole;
}

export async function readHead(on: Queries): Promise<Chain | undefined> {
  const [row] = await on.query<{ rows: number | null; hash: string | null }>(
    "SELECT audit_rows AS rows, audit_head AS hash FROM head",
  );
  const { rows = null, hash = null } = row ?? {};
  return rows === null || hash === null ? undefined : { rows, hash };
}

export async function auditRow(on: Queries, sequence: number): Promise<AuditRow | undefined> {
  const [row] = await on.query<Row>("SELECT * FROM audit WHERE sequence = $1", [sequence]);
  return row && toAuditRow(row);
}

export async function newestMark(on: Queries, mark: AuditMark): Promise<AuditRow | undefined> {
  const [row] = await on.query<Row>(
    `SELECT * FROM audit WHERE action IN ('checkpoint', 'pruned') AND action = $1 ORDER BY sequence DESC LIMIT 1`,
    [mark],
  );
  return row && toAuditRow(row);
}

/** The chain after the removed rows, or why their removal is invalid. */
export async function auditBeginning(
  on: Queries,
): Promise<{ chain: Chain; pruned: AuditVerdict["pruned"] } | Break> {
  const row = await newestMark(on, "pruned");
  if (!row) return { chain: { rows: 0, hash: GENESIS_HASH }, pruned: null };
  const checkpoint = await newestBefore(on, row);
  const beginning = beginningAfter(row, (sequence) =>
    checkpoint?.sequence === sequence ? checkpoint : undefined,
  );
  if ("why" in beginning) return beginning;
  const { chain, detail } = beginning;
  return { chain, pruned: { to: detail.to, at: row.at, row: row.sequence, checkpoint: detail.checkpoint } };
}

/** The checkpoint that a row names. */
async function newestBefore(on: Queries, pruned: AuditRow): Promise<AuditRow | undefined> {
  const [, sequence] = /"checkpoint":(\d{1,15})[,}]/.exec(pruned.detail) ?? [];
  return sequence === undefined ? undefined : auditRow(on, Number(sequence));
}

export async function readAudit(
  on: Queries,
  { after = 0, limit, writeId }: { after?: number; limit: number; writeId?: string },
): Promise<AuditRow[]> {
  const rows =
    writeId === undefined
      ? await on.query<Row>("SELECT * FROM audit WHERE sequence > $1 ORDER BY sequence LIMIT $2", [
          after,
          limit,
        ])
      : await on.query<Row>(
          "SELECT * FROM audit WHERE write_id = $3 AND sequence > $1 ORDER BY sequence LIMIT $2",
          [...[after, limit, writeId]],
        );
  return rows.map(toAuditRow);
}

// For one write; far more than it can have steps.
const MOST_ROWS = 100_000;

/** Why a write must not be executed; undefined: its approval is in the chain, for exactly this write. */
export async function whyNotApproved(
  on: Queries,
  write: StoredColumns & { id: string },
): Promise<string | undefined> {
  const rows = await readAudit(on, { limit: MOST_ROWS, writeId: write.id });
  const why = notApproved(write, rows);
  if (why !== undefined) return why;
  const end = await readHead(on);
  for (const row of rows) {
    // To add a row by hand, an attacker has to recompute all rows after it as well.
    const follower =
      row.sequence === end?.rows ? end.hash : (await auditRow(on, row.sequence + 1))?.previousHash;
    if (auditHash(row) !== row.hash || follower !== row.hash)
      return `row ${row.sequence} of the audit log was changed or added: it is not part of the chain`;
  }
  return undefined;
}
