// Verifies the signed decisions in the audit log again: that each is about its write, and that its signer signed it.

import { readSignedDetail } from "../contract/signed-detail.ts";
import type { AuditRow, Write } from "../contract/writes.ts";
import { REFUSED, SignatureError, type SignatureErrorCode } from "../signatures/error.ts";
import type { Verifier } from "../signatures/verify.ts";
import { readStatement, renderStatement } from "./statement.ts";

const DECISION_OF: Partial<Record<AuditRow["action"], string>> = {
  approved: "approve",
  signed: "approve",
  rejected: "reject",
};

/** Why the signed decision in a row does not match the row's step; undefined: it does, or there is none. */
function whyNotOf(row: AuditRow, write: Write | undefined): string | undefined {
  if ((row.actor.signer ?? null) === null) return undefined;
  const detail = readSignedDetail(row);
  if (!detail) return "it holds no statement and signature";
  const { decision, statement, signer } = detail;
  if (signer !== row.actor.signer) return `it names ${row.actor.signer}, and holds a signature of ${signer}`;
  const head = readStatement(statement);
  if (!head) return "what was signed is no statement";
  // One of another version says nothing that can be compared here; its signature still holds.
  if (!("decision" in head)) return undefined;
  if (head.decision !== decision || DECISION_OF[row.action] !== decision)
    return `the statement says ${head.decision}, and the write was ${row.action}`;
  if (head.write !== row.writeId) return `the statement is about the write ${head.write}`;
  if (head.digest !== row.digest) return "the statement names another digest";
  if (head.validUntil < row.at) return `the statement was valid until ${head.validUntil} only`;
  const isThere = write && write.bodyRemovedAt === null;
  if (isThere && renderStatement(write, head.epoch, decision) !== statement)
    return "the statement is not the one that the write, as it is stored, has";
  return undefined;
}

/** What of a write is not as its signed decisions say; empty: nothing. @param rows of the audit log, of this write */
export const signedDifferences = (write: Write, rows: readonly AuditRow[]): string[] =>
  rows.flatMap((row) => {
    const why = whyNotOf(row, write);
    return why === undefined ? [] : [`the signed decision in row ${row.sequence} (${why})`];
  });

/**
 * Why a row's signature is not valid, as of the time of its decision.
 * @returns undefined if it is valid
 * @throws SignatureError if that cannot be determined: no ssh-keygen, no file of signers
 */
export async function whySignatureFails(row: AuditRow, verifier: Verifier): Promise<string | undefined> {
  const why = whyNotOf(row, undefined);
  const detail = readSignedDetail(row);
  if (why !== undefined || !detail) return why ?? "it holds no statement and signature";
  const { statement: text, signature, signer, key } = detail;
  try {
    const verified = await verifier.verify({ text, signature, signer, at: Date.parse(row.at) }, "people");
    return verified.key === key
      ? undefined
      : `it was made with the key ${verified.key}, and the row names ${key}`;
  } catch (error) {
    if (error instanceof SignatureError && isRefusal(error.code)) return error.message;
    throw error;
  }
}

const isRefusal = (code: SignatureErrorCode): boolean => REFUSED.some((refusal) => refusal === code);
