// The hash chain of the audit log: each row's hash covers the row and, through the hash before it, all rows before.

import { z } from "zod";
import { digestOf } from "../core/canonical-json.ts";
import { parseJson } from "../core/exact-json.ts";
import type { AuditVerdict } from "./write-store.ts";
import type { AuditRow } from "./writes.ts";

/** The hash before the first row. */
export const GENESIS_HASH = "0".repeat(64);

/** SHA-256 over the canonical JSON of every field except the hash itself, including `previousHash`; lower case hex. */
export const auditHash = ({
  sequence,
  at,
  action,
  writeId,
  digest,
  actor: { via, user, signer },
  detail,
  covers,
  previousHash,
}: Omit<AuditRow, "hash">): string =>
  // With the members in canonical order already: three times as fast as sorting them, which matters when a whole log is
  // verified.
  digestOf(
    JSON.stringify({
      action,
      // Left out without a signer, as in rows from before signatures.
      actor: { signer: signer ?? undefined, user, via },
      at,
      covers,
      detail,
      digest,
      previousHash,
      sequence,
      writeId,
    }),
  );

/** A chain so far: its number of rows, which is the sequence of the last one, and the hash of that one. */
export interface Chain {
  rows: number;
  hash: string;
}

/** The first row at which a chain is broken, or at which one is missing. */
export interface Break {
  sequence: number;
  why: string;
}

/** Why the given row does not continue the chain; undefined: it does. */
export const breakBefore = (chain: Chain, row: AuditRow): Break | undefined => {
  const sequence = chain.rows + 1;
  if (row.sequence > sequence)
    return { sequence, why: `removed: the row after ${chain.rows} is ${row.sequence}` };
  if (row.sequence < sequence)
    return { sequence: row.sequence, why: `added: the audit log begins with row ${sequence}` };
  if (row.previousHash !== chain.hash)
    return {
      sequence,
      why: `does not follow row ${chain.rows}: one of the two was changed, or rows here were reordered or removed`,
    };
  return changed(row);
};

const changed = (row: AuditRow): Break | undefined => {
  if (row.hash === auditHash(row)) return undefined;
  const kind = row.action === "checkpoint" ? ", a checkpoint," : "";
  return { sequence: row.sequence, why: `changed: its content${kind} does not have its hash` };
};

/** Why the chain is not the complete one that `head` recorded; undefined: it is. */
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

/** A verdict that is not `ok`, in one sentence. */
export function whatIsWrong({
  brokenAt,
  changed: [first],
  changedCount,
  noted,
}: Pick<AuditVerdict, "brokenAt" | "changed" | "changedCount" | "noted">): string {
  if (brokenAt) return `The chain is broken at row ${brokenAt.sequence}: ${brokenAt.why}.`;
  if (first) {
    const others = changedCount > 1 ? `, and ${changedCount - 1} more` : "";
    return `The writes are not as the audit log says: write ${first.writeId}: ${first.why}${others}.`;
  }
  if (noted?.row === null)
    return `No row has the noted hash ${noted.head}: the audit log was cut or recomputed since then, or is another one.`;
  return "The audit log was changed after it was written.";
}

const covered = z.object({ from: z.int().positive(), to: z.int().positive(), rows: z.int().positive() });
const checkpointDetail = z.strictObject({ ...covered.shape, note: z.string().nullable() });
const prunedDetail = z.strictObject({ ...covered.shape, checkpoint: z.int().positive() });

/** What an operator signed off: the rows `from` to `to`. The hash of the last of them is the row's digest. */
export type CheckpointDetail = z.output<typeof checkpointDetail>;

/** What was removed, and the row of the checkpoint that allowed it. */
export type PrunedDetail = z.output<typeof prunedDetail>;

/** undefined: it is not a checkpoint's detail in nexusd's format. */
export const readCheckpoint = (row: AuditRow): CheckpointDetail | undefined =>
  row.action === "checkpoint" ? readDetail(checkpointDetail, row.detail) : undefined;

const readDetail = <T>(schema: z.ZodType<T>, detail: string): T | undefined => {
  try {
    return schema.parse(parseJson(detail));
  } catch {
    return undefined;
  }
};

/**
 * Where a chain begins after rows were removed, if an operator had signed them off.
 * @param pruned the newest row that records a removal
 * @param find a row by its sequence
 */
export const beginningAfter = (
  pruned: AuditRow,
  find: (sequence: number) => AuditRow | undefined,
): { chain: Chain; detail: PrunedDetail } | Break => {
  const isChanged = changed(pruned);
  if (isChanged) return isChanged;
  const detail = readDetail(prunedDetail, pruned.detail);
  if (!detail) return { sequence: pruned.sequence, why: "changed: it does not say which rows were removed" };
  const { to, checkpoint: sequence } = detail;
  const checkpoint = find(sequence);
  if (!checkpoint)
    return { sequence, why: `removed: the checkpoint up to which row ${pruned.sequence} removed rows` };
  const signed = checkpoint.actor.via === "operator.sock" ? readCheckpoint(checkpoint) : undefined;
  const isSigned = signed && (signed.to > to || (signed.to === to && checkpoint.digest === pruned.digest));
  if (!isSigned)
    return {
      sequence,
      why: `changed: it is not the checkpoint that signs off rows 1 to ${to}, which row ${pruned.sequence} removed`,
    };
  return { chain: { rows: to, hash: pruned.digest }, detail };
};
