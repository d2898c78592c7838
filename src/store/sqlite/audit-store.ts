// The audit log's part of the store: reading, verifying, signing off, and removing old rows.

import type { Database } from "better-sqlite3";
import type { WriteStore } from "../../contract/write-store.ts";
import type { WriteState } from "../../contract/writes.ts";
import { lasting } from "../steps.ts";
import { toWrite, type WriteRow } from "../write-rows.ts";
import type { AuditLog } from "./audit.ts";
import { createAuditPruning } from "./audit-prune.ts";
import { createVerify } from "./audit-verify.ts";
import { createBodyRemoval } from "./write-bodies.ts";

type AuditStore = Pick<
  WriteStore,
  "readAudit" | "verifyAudit" | "whyNotApproved" | "signOffAudit" | "pruneAudit" | "removeBodies"
>;

export const createAuditStore = (parts: {
  db: Database;
  audit: AuditLog;
  rowOf(id: string): WriteRow | undefined;
  /** Counts all writes; pruned ones are subtracted. */
  counts: Record<WriteState, number>;
  read<T>(query: () => T): Promise<T>;
  write<T>(work: () => T, committed?: (result: T) => void): Promise<T>;
}): AuditStore => {
  const { db, audit, rowOf, counts, read, write } = parts;
  const pruning = createAuditPruning(db, audit);
  const verify = createVerify(db, audit);
  const removal = createBodyRemoval(db, audit);

  return {
    readAudit: (query) => read(() => audit.read(query)),
    verifyAudit: (head, also) => verify(head, read, also),
    whyNotApproved: (id, claimed) =>
      read(() => {
        const row = rowOf(id);
        if (!row) return "it does not exist any more";
        // If the row changed at the moment of the claim, the audit log would be asked about another write.
        if (claimed && lasting(toWrite(row)) !== lasting(claimed)) return "it changed since it was claimed";
        return audit.whyNotApproved(row);
      }),
    signOffAudit: (...signed) =>
      write(
        () => pruning.signOff(...signed),
        (result) => {
          if (result?.kind === "signed") audit.appended(result.row);
        },
      ),
    pruneAudit: async (before, at) => {
      const removed = { rows: 0, writes: 0 };
      for (let more = true; more; ) {
        const chunk = await write(
          () => pruning.prune(before, at),
          ({ writes, row }) => {
            if (row) audit.appended(row);
            for (const state of writes) counts[state]--;
          },
        );
        removed.rows += chunk.rows;
        removed.writes += chunk.writes.length;
        more = chunk.more;
      }
      return removed;
    },
    removeBodies: async (before, at) => {
      let removed = 0;
      for (let more = true; more; ) {
        const chunk = await write(
          () => removal(before, at),
          ({ rows }) => rows.forEach(audit.appended),
        );
        removed += chunk.rows.length;
        more = chunk.more;
      }
      return { removed };
    },
  };
};
