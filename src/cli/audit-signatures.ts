// nexusctl audit verify --signers, --copy: verifies every signed decision again, from the running daemon or from a copy
// of its database on another machine.

import { doorOf } from "../contract/actor.ts";
import type { AuditVerdictView } from "../contract/api/audit.ts";
import type { AuditRow } from "../contract/writes.ts";
import { SignatureError } from "../signatures/error.ts";
import { createVerifier } from "../signatures/verify.ts";
import { verifyAuditCopy } from "../store/sqlite/inspect.ts";
import { furtherDifferences } from "../writes/remake.ts";
import { whySignatureFails } from "../writes/signed-record.ts";
import type { CliContext } from "./context.ts";
import { Failed } from "./problem.ts";
import { storeFailure } from "./store-failure.ts";

export interface VerifyOptions {
  head?: string;
  signers?: string;
  copy?: string;
}

export interface SignedVerdict {
  /** How many signed decisions were found. */
  checked: number;
  /** The invalid ones; the first twenty. */
  bad: { row: number; writeId: string; signer: string; why: string }[];
  badCount: number;
}

const TOLD = 20;
const AT_ONCE = 16;
const PAGE = 1000;

/** @throws Failed if it cannot be verified: no ssh-keygen, no signers file, no such copy */
export async function verifySigned(
  context: CliContext,
  { head, signers, copy }: VerifyOptions,
): Promise<{ verdict: AuditVerdictView; signatures: SignedVerdict | undefined }> {
  const checking = signers === undefined ? undefined : checkSignatures(signers);
  const take = async (row: AuditRow) => {
    context.io.signal.throwIfAborted();
    await checking?.take(row);
  };
  const verdict =
    copy === undefined
      ? await verifyDaemon(context, head, take)
      : await verifyAuditCopy(copy, { head, also: furtherDifferences }, take).catch(storeFailure);
  return { verdict, signatures: await checking?.end() };
}

async function verifyDaemon(
  { client, io }: CliContext,
  head: string | undefined,
  take: (row: AuditRow) => Promise<void>,
): Promise<AuditVerdictView> {
  const { signal } = io;
  const verdict = await client.audit.verify(head, { signal });
  for (let after = 0; ; ) {
    const { rows, next } = await client.audit.rows({ after, limit: PAGE, signal });
    for (const row of rows) await take(row);
    if (rows.length === 0) return verdict;
    after = next;
  }
}

/** Several at once: each waits for a process. */
function checkSignatures(signers: string) {
  const verifier = createVerifier(() => signers);
  const verdict: SignedVerdict = { checked: 0, bad: [], badCount: 0 };
  let waiting: AuditRow[] = [];

  const flush = async () => {
    const rows = waiting;
    waiting = [];
    const reasons = await Promise.all(rows.map((row) => whySignatureFails(row, verifier))).catch(cannotTell);
    for (const [at, row] of rows.entries()) {
      verdict.checked++;
      const why = reasons[at];
      if (why === undefined) continue;
      verdict.badCount++;
      const { sequence, writeId, actor } = row;
      if (verdict.bad.length < TOLD)
        verdict.bad.push({ row: sequence, writeId, signer: actor.signer ?? "", why });
    }
  };

  return {
    async take(row: AuditRow) {
      if (doorOf(row.actor) !== "signature") return;
      waiting.push(row);
      if (waiting.length >= AT_ONCE) await flush();
    },
    async end() {
      await flush();
      return verdict;
    },
  };
}

function cannotTell(error: unknown): never {
  if (!(error instanceof SignatureError)) throw error;
  throw new Failed({ title: "Signatures were not checked", detail: error.message, code: error.code });
}
