// The refusals of the write path, each with its reason and remedy.

import type { Actor } from "../contract/actor.ts";
import type { OpenWrites } from "../contract/write-store.ts";
import { type Write, WriteError, type WriteState } from "../contract/writes.ts";
import { isoTime } from "../core/clock.ts";
import { sizeText } from "../core/size.ts";

/** How long after its rejection the same write cannot be proposed again. */
export const REJECTED_FOR_MS = 10 * 60_000;

export const denied = (operation: string, write?: Write) =>
  new WriteError(
    "policy_denied",
    `The policy denies ${operation}: [approvals.policy] of the configuration says so.`,
    write ? { write } : {},
  );

export const signatureRequired = (write: Write) =>
  new WriteError(
    "signature_required",
    `${write.operation} is approved by signature alone, as [approvals.policy] says: nexusctl writes sign ${write.id} --key FILE. An operator can still reject it.`,
    { write },
  );

export const bound = (write: Write) =>
  new WriteError(
    "token_required",
    `The write ${write.id} needs the token that its proposal returned: send it in the header ` +
      "Nexusd-Token. Operators need none.",
    { write },
  );

export const stale = (write: Write, change: string) =>
  new WriteError(
    "stale",
    `The write ${write.id} was proposed for another account: since then ${change} changed. ` +
      "It can only be rejected or cancelled; have it proposed again.",
    { write },
  );

export const conflict = (write: Write) =>
  new WriteError(
    "idempotency_conflict",
    `The idempotency key belongs to the write ${write.id}, which has another input.`,
    { write },
  );

/** @param leftMs how long it is still refused, from `now` on */
export const recentlyRejected = (write: Write, leftMs: number, now: number) => {
  const at = write.decidedAt ?? write.proposedAt;
  const again = isoTime(now + Math.max(0, leftMs));
  return new WriteError(
    "recently_rejected",
    `The same write (${write.id}) was rejected at ${at}: ${JSON.stringify(write.note ?? "")}. ` +
      `It can be proposed again after ${again}; a changed one at once.`,
    { write },
  );
};

export const proposalTooLarge = (most: number) =>
  new WriteError(
    "proposal_too_large",
    `A proposal can have at most ${sizeText(most)}: send less at once, or raise limits.proposal_bytes.`,
  );

export const previewTooLong = (write: Write, most: number) =>
  new WriteError(
    "preview_too_long",
    `Of the body of the write ${write.id} only ${most} lines are shown, and it has more: what cannot be shown in full cannot be approved. Reject it, or raise limits.preview_lines.`,
    { write },
  );

export const tooManyOpen = ({ writes, bytes }: OpenWrites) =>
  new WriteError(
    "too_many_open_proposals",
    `${writes} writes, or ${sizeText(bytes)} of them, can be open at once, and that many are. Cancel some (POST /v1/writes/{id}/cancel), wait until some are decided, or raise limits.open_proposals or limits.open_proposal_bytes.`,
  );

const PAST: Partial<Record<WriteState, string>> = {
  approved: "approved",
  rejected: "rejected",
  cancelled: "cancelled",
};

const inWords = ({ via, user, signer = null }: Actor): string =>
  signer === null ? `${via}${user ? ` (${user})` : ""}` : `the signature of ${signer}`;

/** Why a write that was refused a decision no longer waits for one. */
export function undecidable(write: Write): WriteError {
  if (write.state === "proposed" || write.state === "expired")
    return new WriteError(
      "write_expired",
      `The write ${write.id} expired at ${write.expiresAt}, before anybody decided it: propose it again.`,
      { write },
    );
  const by = write.decidedBy ? inWords(write.decidedBy) : "";
  const decision = PAST[write.state] ?? "approved";
  return new WriteError(
    "write_already_decided",
    `The write ${write.id} was ${decision}${write.decidedAt ? ` at ${write.decidedAt}` : ""}${by ? ` by ${by}` : ""}` +
      `${write.state === decision ? "" : `, and is ${write.state} now`}.`,
    { write },
  );
}
