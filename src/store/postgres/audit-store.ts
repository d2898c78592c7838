// The store's operations on the audit log itself: reading, verifying, signing off, and pruning by retention.

import type { WriteStore } from "../../contract/write-store.ts";
import { lasting } from "../steps.ts";
import { toWrite, type WriteRow } from "../write-rows.ts";
import { readAudit, whyNotApproved } from "./audit.ts";
import { pruneAudit, signOff } from "./audit-prune.ts";
import { verifyAudit } from "./audit-verify.ts";
import type { ReadUnit, WriteUnit } from "./units.ts";
import { removeBodies } from "./write-bodies.ts";
import { ONE } from "./write-statements.ts";

type AuditStore = Pick<
  WriteStore,
  "readAudit" | "verifyAudit" | "whyNotApproved" | "signOffAudit" | "pruneAudit" | "removeBodies"
>;

export const createAuditStore = ({
  read,
  snapshot,
  write,
}: {
  read: ReadUnit;
  snapshot: ReadUnit;
  write: WriteUnit;
}): AuditStore => ({
  readAudit: (query) => read((on) => readAudit(on, query)),
  verifyAudit: (head, also) => snapshot((on) => verifyAudit(on, head, also)),
  whyNotApproved: (id, claimed) =>
    read(async (on) => {
      const [row] = await on.query<WriteRow>(ONE, [id]);
      if (!row) return "it is not there any more";
      // If it had changed just while it was claimed, the audit log would be asked about a different write.
      if (claimed && lasting(toWrite(row)) !== lasting(claimed)) return "it changed since it was claimed";
      return whyNotApproved(on, row);
    }),
  signOffAudit: (...signed) => write((transaction) => signOff(transaction, ...signed)),
  pruneAudit: async (before, at) => {
    const removed = { rows: 0, writes: 0 };
    for (let more = true; more; ) {
      const chunk = await write((transaction) => pruneAudit(transaction, before, at));
      removed.rows += chunk.rows;
      removed.writes += chunk.writes;
      more = chunk.more;
    }
    return removed;
  },
  removeBodies: async (before, at) => {
    let removed = 0;
    for (let more = true; more; ) {
      const chunk = await write((transaction) => removeBodies(transaction, before, at));
      removed += chunk.removed;
      more = chunk.more;
    }
    return { removed };
  },
});
