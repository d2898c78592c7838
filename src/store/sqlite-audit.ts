// The audit log: rows that are only ever appended, each holding the hash of the one before.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import { auditHash, breakAfter, breakBefore, type Chain, GENESIS_HASH } from "../writes/audit.ts";
import type { Actor, AuditAction, AuditRow, Write } from "../writes/types.ts";
import type { Store } from "./store.ts";

// A few milliseconds of hashing: the longest that a verification keeps everything else waiting.
const VERIFIED_AT_ONCE = 500;

export interface AuditEntry {
  at: string;
  action: AuditAction;
  write: Pick<Write, "id" | "digest">;
  actor: Actor;
  /** Canonical JSON. */
  detail: string;
}

export interface AuditLog {
  /** Inside a transaction. */
  append(entry: AuditEntry): void;
  read(query: { after?: number; limit: number; writeId?: string }): AuditRow[];
  /** Each part of the walk runs in `read`, which may refuse it: the store can be closed meanwhile. */
  verify(read: <T>(query: () => T) => Promise<T>): ReturnType<Store["verifyAudit"]>;
}

interface Row {
  sequence: number;
  at: string;
  // These two as `append` writes them; what somebody else put there shows in the hash.
  action: AuditAction;
  via: Actor["via"];
  user: string | null;
  write_id: string;
  digest: string;
  detail: string;
  previous_hash: string;
  hash: string;
}

export const createAuditLog = (db: Database): AuditLog => {
  const insert = db.prepare<Row>(
    `INSERT INTO audit (sequence, at, action, write_id, digest, via, user, detail, previous_hash, hash)
     VALUES (:sequence, :at, :action, :write_id, :digest, :via, :user, :detail, :previous_hash, :hash)`,
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
  const ofWrite = db.prepare<[string, number, number], Row>(
    `SELECT * FROM audit INDEXED BY audit_by_write
     WHERE write_id = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
  );

  const readHead = (): Chain | undefined => {
    const { rows = null, hash = null } = head.get() ?? {};
    return rows === null || hash === null ? undefined : { rows, hash };
  };

  /** Adds the rows after `after` to the chain, up to the first that does not fit. */
  const walk = (after: number, chain: Chain) => {
    const found = following.all(after, VERIFIED_AT_ONCE);
    for (const row of found.map(toAuditRow)) {
      const brokenAt = breakBefore(chain, row);
      if (brokenAt) return { chain, brokenAt, isDone: true };
      chain = { rows: row.sequence, hash: row.hash };
    }
    if (found.length === VERIFIED_AT_ONCE) return { chain, brokenAt: undefined, isDone: false };
    // In the same turn as the last rows, so that no append comes between the two.
    return { chain, brokenAt: breakAfter(chain, readHead()), isDone: true };
  };

  return {
    append: ({ at, action, write, actor, detail }) => {
      const last = readHead();
      if (!last)
        throw new Error("the last row of the audit log is not known: something else changed the database");
      const row = {
        sequence: last.rows + 1,
        at,
        action,
        writeId: write.id,
        digest: write.digest,
        actor,
        detail,
        previousHash: last.hash,
      };
      const hash = auditHash(row);
      insert.run(toRow({ ...row, hash }));
      moveHead.run(row.sequence, hash);
    },

    read: ({ after = 0, limit, writeId }) =>
      (writeId === undefined ? following.all(after, limit) : ofWrite.all(writeId, after, limit)).map(
        toAuditRow,
      ),

    verify: async (read) => {
      // Before every sequence that somebody may have put in front of the first.
      let after = Number.MIN_SAFE_INTEGER;
      let chain: Chain = { rows: 0, hash: GENESIS_HASH };
      for (;;) {
        const step = await read(() => walk(after, chain));
        chain = step.chain;
        after = chain.rows;
        if (step.isDone) {
          const { rows, hash } = chain;
          const head = rows === 0 ? null : hash;
          return step.brokenAt
            ? { ok: false, rows, head, brokenAt: step.brokenAt }
            : { ok: true, rows, head };
        }
        await nextTurn();
      }
    },
  };
};

const toRow = ({ writeId, actor, previousHash, ...row }: AuditRow): Row => ({
  ...row,
  write_id: writeId,
  via: actor.via,
  user: actor.user,
  previous_hash: previousHash,
});

const toAuditRow = ({ write_id, via, user, previous_hash, ...row }: Row): AuditRow => ({
  ...row,
  writeId: write_id,
  actor: { via, user },
  previousHash: previous_hash,
});
