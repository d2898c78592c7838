// The hash chain of the audit log: each row's hash covers the row and, through the hash before it, all rows before.

import { canonicalJson, digestOf } from "./canonical.ts";
import type { AuditRow } from "./types.ts";

/** What the first row follows. */
export const GENESIS_HASH = "0".repeat(64);

/** SHA-256 over the canonical JSON of every field but the hash itself, `previousHash` among them; lower case hex. */
export const auditHash = ({
  sequence,
  at,
  action,
  writeId,
  digest,
  actor: { via, user },
  detail,
  previousHash,
}: Omit<AuditRow, "hash">): string =>
  digestOf(
    canonicalJson({ sequence, at, action, writeId, digest, actor: { via, user }, detail, previousHash }),
  );

/** A chain so far: how many rows it has, which is the sequence of the last one, and the hash of that one. */
export interface Chain {
  rows: number;
  hash: string;
}

/** The first row at which a chain does not hold, or at which one is missing. */
export interface Break {
  sequence: number;
  why: string;
}

/** Why the row found after the chain is not its next one; undefined: it is. */
export const breakBefore = (chain: Chain, row: AuditRow): Break | undefined => {
  const sequence = chain.rows + 1;
  if (row.sequence > sequence)
    return { sequence, why: `removed: the row after ${chain.rows} is ${row.sequence}` };
  if (row.sequence < sequence)
    return { sequence: row.sequence, why: "added: the audit log begins with row 1" };
  if (row.previousHash !== chain.hash)
    return {
      sequence,
      why: `does not follow row ${chain.rows}: one of the two was changed, or rows here were reordered or removed`,
    };
  if (row.hash !== auditHash(row)) return { sequence, why: "changed: its content does not have its hash" };
  return undefined;
};

/** Why the chain is not the whole one of which `head` was recorded; undefined: it is. */
export const breakAfter = (chain: Chain, head: Chain | undefined): Break | undefined => {
  if (head === undefined)
    return { sequence: chain.rows, why: "the record of the last row was removed from meta" };
  if (chain.rows < head.rows)
    return {
      sequence: chain.rows + 1,
      why: `removed: the audit log had ${head.rows} rows, and ends after ${chain.rows}`,
    };
  if (chain.rows > head.rows)
    return { sequence: head.rows + 1, why: `added: the audit log had ${head.rows} rows` };
  if (chain.hash !== head.hash)
    return { sequence: chain.rows, why: "changed: its hash is not the one recorded for the last row" };
  return undefined;
};
