// The audit log: rows that are only ever appended, each holding the hash of the one before.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { Database } from "better-sqlite3";
import {
  auditHash,
  type Break,
  beginningAfter,
  breakAfter,
  breakBefore,
  type Chain,
  GENESIS_HASH,
} from "../writes/audit.ts";
import type { Actor, AuditAction, AuditMark, AuditRow, Write } from "../writes/types.ts";
import type { Store } from "./store.ts";

// A few milliseconds of hashing: the longest that a verification keeps everything else waiting.
const VERIFIED_AT_ONCE = 500;

type Verdict = Awaited<ReturnType<Store["verifyAudit"]>>;

export interface AuditEntry {
  at: string;
  action: AuditAction;
  /** Empty id: the row is about the audit log itself. */
  write: Pick<Write, "id" | "digest">;
  actor: Actor;
  /** Canonical JSON. */
  detail: string;
}

export interface AuditLog {
  /** Inside a transaction. */
  append(entry: AuditEntry): AuditRow;
  one(sequence: number): AuditRow | undefined;
  /** The newest row of this kind. */
  newest(mark: AuditMark): AuditRow | undefined;
  /** The chain of the rows that are not there any more, or why they should be. */
  beginning(): { chain: Chain; pruned: Verdict["pruned"] } | Break;
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

interface Walked {
  chain: Chain;
  isDone: boolean;
}

const NOTHING: Chain = { rows: 0, hash: GENESIS_HASH };

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
  const one = db.prepare<[number], Row>("SELECT * FROM audit WHERE sequence = ?");
  const newestOf = db.prepare<[AuditMark], Row>(
    `SELECT * FROM audit INDEXED BY audit_marks
     WHERE action IN ('checkpoint', 'pruned') AND action = +? ORDER BY sequence DESC LIMIT 1`,
  );
  const ofWrite = db.prepare<[string, number, number], Row>(
    `SELECT * FROM audit INDEXED BY audit_by_write
     WHERE write_id = ? AND sequence > ? ORDER BY sequence LIMIT ?`,
  );

  const readHead = (): Chain | undefined => {
    const { rows = null, hash = null } = head.get() ?? {};
    return rows === null || hash === null ? undefined : { rows, hash };
  };

  const find = (sequence: number) => orNothing(one.get(sequence));
  const newest = (mark: AuditMark) => orNothing(newestOf.get(mark));

  /** Where the chain begins by now. */
  const readBeginning: AuditLog["beginning"] = () => {
    const row = newest("pruned");
    if (!row) return { chain: NOTHING, pruned: null };
    const beginning = beginningAfter(row, find);
    if ("why" in beginning) return beginning;
    const { chain, detail } = beginning;
    return { chain, pruned: { to: detail.to, at: row.at, row: row.sequence, checkpoint: detail.checkpoint } };
  };

  /** Goes on from the chain so far (undefined: nothing yet), up to the first row that does not fit. */
  const walk = (before: Chain | undefined): Omit<Verdict, "ok" | "rows" | "head"> & Walked => {
    const beginning = readBeginning();
    if ("why" in beginning)
      return { chain: before ?? NOTHING, pruned: null, brokenAt: beginning, isDone: true };
    const { pruned } = beginning;
    // Since the last turn the rows that come next may have been removed.
    let chain = before && before.rows >= beginning.chain.rows ? before : beginning.chain;
    // At first with every row that somebody may have put in front of the first.
    const found = following.all(before ? chain.rows : Number.MIN_SAFE_INTEGER, VERIFIED_AT_ONCE);
    for (const row of found.map(toAuditRow)) {
      const brokenAt = breakBefore(chain, row);
      if (brokenAt) return { chain, pruned, brokenAt, isDone: true };
      chain = { rows: row.sequence, hash: row.hash };
    }
    if (found.length === VERIFIED_AT_ONCE) return { chain, pruned, isDone: false };
    // In the same turn as the last rows, so that no append comes between the two.
    const brokenAt = breakAfter(chain, readHead());
    return { chain, pruned, isDone: true, ...(brokenAt && { brokenAt }) };
  };

  return {
    one: find,
    newest,
    beginning: readBeginning,

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
      return { ...row, hash };
    },

    read: ({ after = 0, limit, writeId }) =>
      (writeId === undefined ? following.all(after, limit) : ofWrite.all(writeId, after, limit)).map(
        toAuditRow,
      ),

    verify: async (read) => {
      let walked: Chain | undefined;
      for (;;) {
        const from = walked;
        const { chain, isDone, ...found } = await read(() => walk(from));
        const { rows, hash } = chain;
        if (isDone) return { ok: !found.brokenAt, rows, head: rows === 0 ? null : hash, ...found };
        walked = chain;
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

const orNothing = (row: Row | undefined): AuditRow | undefined => row && toAuditRow(row);

const toAuditRow = ({ write_id, via, user, previous_hash, ...row }: Row): AuditRow => ({
  ...row,
  writeId: write_id,
  actor: { via, user },
  previousHash: previous_hash,
});
