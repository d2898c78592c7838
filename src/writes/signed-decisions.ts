// Decisions by signature: the statement must match the present write, and the policy must name its signer. The socket
// on which it arrives grants no right.

import type { Actor } from "../contract/actor.ts";
import { readSignedDetail, type SignedDetail } from "../contract/signed-detail.ts";
import type { Decision, SignedApproval, SignedDecision, Signing } from "../contract/signing.ts";
import { StoreError } from "../contract/store.ts";
import { type Write, WriteError, type Writes } from "../contract/writes.ts";
import { isoTime } from "../core/clock.ts";
import { SignatureError, type SignatureErrorCode } from "../signatures/error.ts";
import type { Verified, Verifier } from "../signatures/verify.ts";
import { subjectOf } from "./policy.ts";
import type { WritesOptions } from "./proposals.ts";
import { undecidable } from "./refusals.ts";
import { readStatement, renderStatement, STATEMENT_VERSION } from "./statement.ts";

export interface SignedOptions
  extends Pick<WritesOptions, "store" | "policy" | "clock" | "steady" | "onApproved" | "withApproval"> {
  verifier: Verifier;
  /** As it is now, expired if it is past its time. @throws WriteError `write_not_found` */
  get(id: string): Promise<Write>;
  /** What prevents the approval of a proposed write. @throws WriteError */
  assertApprovable(write: Write): void;
}

/** Errors that show that an earlier signature is no longer valid; others say nothing about it. */
const OF_THE_SIGNER: ReadonlySet<string> = new Set<SignatureErrorCode>([
  "signer_unknown",
  "signer_not_valid_now",
  "signature_wrong_key",
  "signature_wrong_namespace",
]);
/** Per write; far more than its steps and signers. */
const MOST_ROWS = 1000;

/** Another signer came first: read again. */
const MOST_TRIES = 32;

export function createSignedDecisions(
  options: SignedOptions,
): Pick<Writes, "statement" | "decide" | "signing"> {
  const { store, policy, clock, steady, verifier, get } = options;

  const signing = (write: Write): Signing | undefined => policy().signingOf(subjectOf(write));

  /** Checks that a signature decides the write now. @throws WriteError */
  const assertOpen = (write: Write, decision: Decision): void => {
    if (write.state !== "proposed") throw undecidable(write);
    if (decision === "approve") options.assertApprovable(write);
  };

  /** The decision that the text is about this write, as it is now. @throws WriteError */
  const readDecision = (text: string, write: Write): Decision => {
    const head = readStatement(text);
    if (!head)
      throw refused(
        "statement_malformed",
        "This is no statement of nexusd: its first lines are not those of one.",
      );
    if (!("decision" in head))
      throw refused(
        "statement_version",
        `This is a statement of version ${head.version}, and this nexusd makes and takes version ${STATEMENT_VERSION}: fetch it again and sign it anew.`,
        write,
      );
    if (head.epoch !== store.epoch)
      throw refused(
        "statement_other_epoch",
        `This statement is about a write of another database (epoch ${head.epoch}, here ${store.epoch}).`,
        write,
      );
    if (head.write !== write.id)
      throw refused(
        "statement_other_write",
        `This statement is about the write ${head.write}, not ${write.id}.`,
        write,
      );
    if (head.digest !== write.digest)
      throw refused(
        "digest_mismatch",
        `The digest in the statement is not that of the write ${write.id}: fetch the statement again.`,
        write,
      );
    const now = write.bodyRemovedAt === null ? renderStatement(write, store.epoch, head.decision) : undefined;
    if (now !== text)
      throw refused(
        "statement_mismatch",
        `This is not byte for byte the statement of the write ${write.id}: something in it was changed on its way. Nothing was decided.`,
        write,
      );
    return head.decision;
  };

  /** @throws WriteError `signer_not_allowed` */
  const assertAllowed = (write: Write, signer: string): Signing => {
    const wanted = signing(write);
    if (!wanted)
      throw refused(
        "signer_not_allowed",
        `No signature decides ${write.operation}: [approvals.policy] says ${JSON.stringify(policy().approvalOf(subjectOf(write)))}.`,
        write,
      );
    if (wanted.signers !== null && !wanted.signers.includes(signer))
      throw refused(
        "signer_not_allowed",
        `${signer} may not decide ${write.operation}: [approvals.policy] names ${wanted.signers.join(", ")}.`,
        write,
      );
    return wanted;
  };

  /** A key may have been revoked since. @throws SignatureError if that cannot be determined */
  const isValidNow = async ({ statement: text, signature, signer }: SignedDetail): Promise<boolean> => {
    try {
      await verifier.verify({ text, signature, signer, at: clock.now() }, "people");
      return true;
    } catch (error) {
      if (error instanceof SignatureError && OF_THE_SIGNER.has(error.code)) return false;
      throw error;
    }
  };

  /**
   * The earlier approvals that still count: of its present statement (a restored database has another one), by people
   * whom the policy names, with a key that is valid now.
   */
  const standing = async (write: Write, wanted: Signing): Promise<SignedApproval[]> => {
    if (write.signedBy.length === 0) return [];
    const rows = await store.readAudit({ writeId: write.id, limit: MOST_ROWS });
    const now = renderStatement(write, store.epoch, "approve");
    const signed = rows
      .flatMap((row) => readSignedDetail(row) ?? [])
      .filter(({ statement }) => statement === now);
    const counted = await Promise.all(
      write.signedBy.map(async (approval) => {
        if (wanted.signers !== null && !wanted.signers.includes(approval.signer)) return [];
        const found = signed.find(({ signer, key }) => signer === approval.signer && key === approval.key);
        return found && (await isValidNow(found)) ? [approval] : [];
      }),
    );
    return counted.flat();
  };

  /** One conditional update. @returns undefined: another signer came first */
  const record = async (
    write: Write,
    { decision, wanted, actor, verified, signed }: Recorded,
  ): Promise<Write | undefined> => {
    const before = await standing(write, wanted);
    const twice = before.find(({ signer, key }) => signer === verified.signer || key === verified.key);
    // A signer who approved can still reject while other signatures are missing.
    if (twice && decision === "approve") throw used(write, twice, verified);
    const at = isoTime(clock.now());
    const madeAt = Date.parse(write.proposedAt);
    const notExpiredAt = isoTime(madeAt + steady.ageOf(madeAt));
    const detail = { decision, ...verified, statement: signed.statement, signature: signed.signature };
    const signedBy = [...before, { ...verified, at }];
    const common = { id: write.id, notExpiredAt, signedBefore: write.signedBy, actor, at, detail };
    if (decision === "approve" && signedBy.length < wanted.quorum)
      return done(await store.signWrite({ ...common, signedBy }));
    const isApproval = decision === "approve";
    const { observations, committed } = (isApproval && options.withApproval?.(write)) || {};
    const result = await store.transitionWrite({
      ...common,
      from: "proposed",
      to: isApproval ? "approved" : "rejected",
      patch: { decidedAt: at, decidedBy: actor, ...(isApproval && { signedBy }) },
      ...(observations && { observations }),
    });
    const after = done(result);
    if (!after || !isApproval) return after;
    committed?.();
    options.onApproved();
    return after;
  };

  const done = (result: Awaited<ReturnType<typeof store.transitionWrite>>): Write | undefined =>
    result?.kind === "done" ? result.write : undefined;

  return {
    signing,

    async statement(id, decision) {
      const write = await get(id);
      assertOpen(write, decision);
      return renderStatement(write, store.epoch, decision);
    },

    async decide(id, signed, cameBy) {
      for (let tries = MOST_TRIES; ; tries--) {
        const write = await get(id);
        const decision = readDecision(signed.statement, write);
        assertUnused(write, signed);
        if (write.state === "expired") throw expired(write);
        assertOpen(write, decision);
        verifier.assertKnown(signed.signer);
        const wanted = assertAllowed(write, signed.signer);
        const text = { text: signed.statement, signature: signed.signature, signer: signed.signer };
        const isPerson = cameBy.via === "operator.sock";
        const verified = await verifier.verify({ ...text, at: clock.now() }, isPerson ? "people" : "agents");
        const actor: Actor = { ...cameBy, signer: verified.signer };
        const after = await record(write, { decision, wanted, actor, verified, signed });
        if (after) return after;
        if (tries === 0) throw new StoreError("busy", "Too many signers decide at once: try again.");
      }
    },
  };
}

interface Recorded {
  decision: Decision;
  wanted: Signing;
  actor: Actor;
  verified: Verified;
  signed: SignedDecision;
}

const refused = (code: WriteError["code"], message: string, write?: Write) =>
  new WriteError(code, message, write ? { write } : {});

/**
 * Checks that this signer has not decided it yet, whatever happened to the write since: a repeated statement is
 * refused.
 * @throws WriteError `statement_used`
 */
function assertUnused(write: Write, { signer }: SignedDecision): void {
  if (write.state === "proposed") return;
  const isHis = write.decidedBy?.signer === signer || write.signedBy.some((one) => one.signer === signer);
  if (!isHis) return;
  throw refused(
    "statement_used",
    `${signer} has signed a decision about the write ${write.id} before: it is ${write.state}. Nothing was done again.`,
    write,
  );
}

const used = (write: Write, { signer, key, at }: SignedApproval, now: Verified) =>
  refused(
    "statement_used",
    signer === now.signer
      ? `${signer} approved the write ${write.id} already, at ${at}: each signer counts once.`
      : `The key ${key} approved the write ${write.id} already, at ${at}, as ${signer}: each key counts once.`,
    write,
  );

const expired = (write: Write) =>
  refused(
    "statement_expired",
    `The statement was valid until ${write.expiresAt}, and so was the write ${write.id}: have it proposed again.`,
    write,
  );
