// The audit log: append-only rows, each holding the hash of the one before.

import type { Database } from "better-sqlite3";
import { auditHash, type Break, beginningAfter, type Chain, GENESIS_HASH } from "../../contract/audit.ts";
import type { StoredColumns } from "../../contract/audit-cover.ts";
import { notApproved } from "../../contract/audit-cover.ts";
import type { AuditVerdict } from "../../contract/write-store.ts";
import type { AuditMark, AuditRow } from "../../contract/writes.ts";
import { type AuditEntry, type Row, toAuditRow, toRow } from "../audit-rows.ts";

export interface AuditLog {
  /** Inside a transaction. */
  append(entry: AuditEntry): AuditRow;
  /** Called when the row that `append` returned is on disk: the end of the log as this process knows it. */
  appended(row: Pick<AuditRow, "sequence" | "hash">): void;
  /** The first row since the log was opened that this process did not append; undefined: none. */
  foreign(): number | undefined;
  one(sequence: number): AuditRow | undefined;
  /** The newest row of this kind. */
  newest(mark: AuditMark): AuditRow | undefined;
  head(): Chain | undefined;
  /** The chain over the removed rows, or why their removal is not accounted for. */
  beginning(): { chain: Chain; pruned: AuditVerdict["pruned"] } | Break;
  read(query: { after?: number; limit: number; writeId?: string }): AuditRow[];
  rowsOf(writeId: string): AuditRow[];
  /** Rows of this write and of the writes with larger ids, each write's rows in order. */
  rowsFrom(writeId: string): IterableIterator<AuditRow>;
  /** Why a write must not be executed; undefined: the chain has its approval, and the write matches it. */
  whyNotApproved(write: StoredColumns & { id: string }): string | undefined;
}

const NOTHING: Chain = { rows: 0, hash: GENESIS_HASH };

export const createAuditLog = (db: Database): AuditLog => {
  const insert = db.prepare<Row>(
    `INSERT INTO audit (sequence, at, action, write_id, digest, via, user, signer, detail, covers, previous_hash, hash)
     VALUES (:sequence, :at, :action, :write_id, :digest, :via, :user, :signer, :detail, :covers, :previous_hash, :hash)`,
  );
  const head = db.prepare<[], { rows: number | null; hash: string | null }>(
    `SELECT (SELECT value FROM meta WHERE key = 'audit_rows') AS rows,
            (SELECT value FROM meta WHERE key = 'audit_head') AS hash`,
  );
  const moveHead = db.prepare<[number, string]>(
    `UPDATE meta SET value = CASE key WHEN 'audit_rows' THEN ? ELSE ? END
     WHERE key IN ('audit_rows', 'audit_head')`,
  );
  const following = db.prepare<[number, number], Row>(
    "SELECT * FROM audit WHERE sequence > ? ORDER BY sequence LIMIT ?",
  );
  const one = db.prepare<[number], Row>("SELECT * FROM audit WHERE sequence = ?");
  const newestOf = db.prepare<[AuditMark], Row>(
    `SELECT * FROM audit INDEXED BY audit_marks
     WHERE action IN ('checkpoint', 'pruned') AND action = +? ORDER BY sequence DESC LIMIT 1`,
  );
  const ofWrite = db.prepare<[string, number, number], Row>(
    `SELECT * FROM audit INDEXED BY audit_by_write
     WHERE write_id = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
  );

  const fromWrite = db.prepare<[string], Row>(
    "SELECT * FROM audit INDEXED BY audit_by_write WHERE write_id >= ? ORDER BY write_id, sequence",
  );

  const readHead = (): Chain | undefined => {
    const { rows = null, hash = null } = head.get() ?? {};
    return rows === null || hash === null ? undefined : { rows, hash };
  };

  const find = (sequence: number) => orNothing(one.get(sequence));
  const newest = (mark: AuditMark) => orNothing(newestOf.get(mark));

  // The end of the log as this process knows it: on disk, and in a transaction that may still be rolled back.
  let known = readHead();
  let tentative: Chain | undefined;
  let foreign: number | undefined;
  const notice = (last: Chain): void => {
    const isOurs = [known, tentative].some((end) => end?.rows === last.rows && end.hash === last.hash);
    if (!isOurs) foreign ??= Math.min(last.rows, (known?.rows ?? 0) + 1);
  };

  const rowsOf = (writeId: string) => ofWrite.all(writeId, 0, MOST_ROWS).map(toAuditRow);

  return {
    one: find,
    newest,
    head: readHead,
    rowsOf,
    rowsFrom: function* (writeId) {
      for (const row of fromWrite.iterate(writeId)) yield toAuditRow(row);
    },

    foreign: () => {
      const last = readHead();
      if (last) notice(last);
      return foreign;
    },
    appended: ({ sequence, hash }) => {
      known = { rows: sequence, hash };
    },

    beginning: () => {
      const row = newest("pruned");
      if (!row) return { chain: NOTHING, pruned: null };
      const beginning = beginningAfter(row, find);
      if ("why" in beginning) return beginning;
      const { chain, detail } = beginning;
      return {
        chain,
        pruned: { to: detail.to, at: row.at, row: row.sequence, checkpoint: detail.checkpoint },
      };
    },

    append: ({ at, action, write, actor, detail, covers }) => {
      const last = readHead();
      if (!last)
        throw new Error("the last row of the audit log is unknown: something else changed the database");
      notice(last);
      const row = {
        sequence: last.rows + 1,
        at,
        action,
        writeId: write.id,
        digest: write.digest,
        actor,
        detail,
        ...(covers !== undefined && { covers }),
        previousHash: last.hash,
      };
      const hash = auditHash(row);
      insert.run(toRow({ ...row, hash }));
      moveHead.run(row.sequence, hash);
      tentative = { rows: row.sequence, hash };
      return { ...row, hash };
    },

    read: ({ after = 0, limit, writeId }) =>
      (writeId === undefined ? following.all(after, limit) : ofWrite.all(writeId, after, limit)).map(
        toAuditRow,
      ),

    whyNotApproved: (write) => {
      const rows = rowsOf(write.id);
      const why = notApproved(write, rows);
      if (why !== undefined) return why;
      const end = readHead();
      for (const row of rows) {
        // A row added by hand would need new hashes in all rows after it.
        const follower = row.sequence === end?.rows ? end.hash : find(row.sequence + 1)?.previousHash;
        if (auditHash(row) !== row.hash || follower !== row.hash)
          return `row ${row.sequence} of the audit log was changed or added: it is not part of the chain`;
        if (foreign !== undefined && row.action === "approved" && row.sequence >= foreign)
          return `row ${row.sequence} of the audit log was written by something other than this nexusd, while it was running`;
      }
      return undefined;
    },
  };
};

// Per write; far more than it can have steps.
const MOST_ROWS = 100_000;

const orNothing = (row: Row | undefined): AuditRow | undefined => row && toAuditRow(row);
