// What the store does with writes and with the audit log: every step of a write is one conditional update, one event and
// one audit row, in one transaction.

import type { Actor } from "./actor.ts";
import type { SignedApproval } from "./signing.ts";
import type { Observation } from "./store.ts";
import type { AuditRow, Write, WriteQuery, WriteState, WriteSummary } from "./writes.ts";

/** Writes that are neither decided against nor done: how many, and the bytes (UTF-8) of their requests and previews. */
export interface OpenWrites {
  writes: number;
  bytes: number;
}

/** Everything a transition changes, in one transaction: the conditional update, its event and its audit row. */
export interface WriteTransition {
  id: string;
  /** The update happens only from this state (and, for approvals, before `expiresAt`). */
  from: WriteState;
  to: WriteState;
  /** Only while the write's expiry is after this time (RFC 3339). */
  notExpiredAt?: string;
  patch: Partial<
    Pick<
      Write,
      | "decidedAt"
      | "decidedBy"
      | "signedBy"
      | "note"
      | "executingAt"
      | "finishedAt"
      | "attempts"
      | "result"
      | "outcome"
    >
  >;
  actor: Actor;
  at: string;
  /** What an agent can show of the token of a bound write; left out: no token is wanted. */
  tokenHash?: string;
  /** Only where these are the signed approvals that it has; left out: whichever there are. */
  signedBefore?: readonly SignedApproval[];
  /** For the audit row. */
  detail: unknown;
  /** What else changes with it, in the same transaction, or not at all where the update does not happen. */
  observations?: Observation[];
}

/** What a proposal with an idempotency key is found again by. */
export interface IdempotencyKey {
  key: string;
  operation: string;
  agent: string | null;
}

export interface ProposeOptions {
  rejectedSince: string;
  /** Whether a rejection of that time (RFC 3339) is so recent; default: each since `rejectedSince` is. */
  isRecent?: (decidedAt: string) => boolean;
  /** With it, so many writes may be open at once. */
  most?: OpenWrites;
  /** Who approves it in the same transaction; left out: it waits for a decision. */
  approveBy?: Actor;
  /** SHA-256 of the token without which no agent withdraws it. */
  tokenHash?: string;
}

export interface AuditVerdict {
  /** Nothing below says anything else. */
  ok: boolean;
  /** All there ever were, which is the sequence of the last one. */
  rows: number;
  head: string | null;
  /** The rows 1 to `to` are not there any more, as the row `row` says; `checkpoint` is the row that signed them off. */
  pruned: { to: number; at: string; row: number; checkpoint: number } | null;
  /** The first row that is changed, removed or out of order, and why. */
  brokenAt?: { sequence: number; why: string };
  /** Writes and their events that do not match the chain; the first twenty. */
  changed: { writeId: string; why: string }[];
  /** How many there are. */
  changedCount: number;
  /** Of the head that was asked for: the row whose hash it is; null: the chain has no such row. */
  noted?: { head: string; row: number | null };
}

/** What of a write with a signed decision is not as its rows say, beside what the chain covers; empty: nothing. */
export type FurtherLook = (write: Write, rows: readonly AuditRow[]) => string[];

export interface WriteStore {
  /**
   * In one transaction: looks for the idempotency key and a recent rejection, else stores write, event and audit row,
   * and with `approveBy` also the approval with its event and row.
   */
  proposeWrite(
    write: Write,
    actor: Actor,
    options: ProposeOptions,
  ): Promise<
    | { kind: "created"; write: Write }
    | { kind: "existing"; write: Write } // same idempotencyKey of this agent and operation, same digest
    | { kind: "idempotency_conflict"; write: Write } // the same, with another digest
    | { kind: "recently_rejected"; write: Write } // same digest rejected after rejectedSince
    | { kind: "too_many_open" } // it would be one more than `most`
  >;
  /** @returns the write after it, or `kind: "refused"` with the write as it is, or undefined when unknown */
  transitionWrite(
    transition: WriteTransition,
  ): Promise<{ kind: "done"; write: Write } | { kind: "refused"; write: Write } | undefined>;
  /**
   * Keeps the signed approval of a write that waits for more of them, with its event and audit row. One conditional
   * update, as a transition is one.
   */
  signWrite(signed: {
    id: string;
    notExpiredAt: string;
    signedBefore: readonly SignedApproval[];
    signedBy: SignedApproval[];
    actor: Actor;
    at: string;
    /** For the audit row. */
    detail: unknown;
  }): Promise<{ kind: "done" | "refused"; write: Write } | undefined>;
  /**
   * The first approved write whose target has none executing: moved to `executing`. Those that a person approved come
   * first, then those that the policy did; each in the order of approval. The request that is about to be sent is
   * counted, so that a crash leaves none uncounted; the result says how many were sent.
   * @param onlyPeoples leaves out what the policy approved
   */
  claimNextWrite(actor: Actor, at: string, onlyPeoples?: boolean): Promise<Write | undefined>;
  /** A write repeated by the executor (idempotent): counts the attempt without a change of state. */
  countWriteAttempt(id: string): Promise<void>;
  /** Those that are proposed, approved or executing. */
  countOpenWrites(): Promise<OpenWrites>;
  /** Whether it is in this state, without reading the rest of it. */
  isWriteIn(id: string, state: WriteState): Promise<boolean>;
  readWrite(id: string): Promise<Write | undefined>;
  readWriteByIdempotencyKey(key: IdempotencyKey): Promise<Write | undefined>;
  /** Newest first. */
  readWrites(query: WriteQuery): Promise<Write[]>;
  /** The same writes, without reading what is long of them. A page may be shorter than `limit` where they are long. */
  readWriteSummaries(query: WriteQuery): Promise<WriteSummary[]>;
  countWrites(): Promise<Record<WriteState, number>>;
  /**
   * Moves the proposed writes past their expiry to `expired`, each with event and audit row.
   * @param isOver whether it has lived as long as it was given; default: by what the wall clock says
   */
  expireWrites(
    at: string,
    isOver?: (write: Pick<Write, "proposedAt" | "expiresAt">) => boolean,
  ): Promise<Write[]>;
  /**
   * Removes request, preview, precondition and output of the writes that were finished before `before` (RFC 3339),
   * each with an audit row. What is open or unknown stays whole. @returns how many
   */
  removeBodies(before: string, at: string): Promise<{ removed: number }>;
  /** Sets `shownAt` and appends the audit row, the first time only. */
  markWriteShown(id: string, actor: Actor, at: string): Promise<Write | undefined>;
  readAudit(query: { after?: number; limit: number; writeId?: string }): Promise<AuditRow[]>;
  /**
   * Walks the whole chain, and compares it with the writes and their events; in small parts, so that others get their
   * turn. @param head the hash of a row, as it was noted elsewhere: it must still be in the chain
   */
  verifyAudit(head?: string, also?: FurtherLook): Promise<AuditVerdict>;
  /**
   * Why the write must not be executed, by its rows of the audit log; undefined: they hold its approval as it is.
   * @param claimed what would be executed: it must be the write that is there
   */
  whyNotApproved(id: string, claimed?: Write): Promise<string | undefined>;
  /**
   * Appends the checkpoint with which an operator signs off the rows up to `sequence`, whose hash is `hash`.
   * @returns `signed` or, where an earlier checkpoint goes as far, `covered`, with its row; undefined: no such row
   */
  signOffAudit(
    signed: { sequence: number; hash: string; note: string | null },
    actor: Actor,
    at: string,
  ): Promise<{ kind: "signed" | "covered"; row: AuditRow } | { kind: "hash_mismatch" } | undefined>;
  /**
   * Removes the oldest rows of the audit log that are older than `before` (RFC 3339), up to the newest checkpoint and
   * to the first row of a write that is not finished, and the writes with no row left. The chain tells of it.
   */
  pruneAudit(before: string, at: string): Promise<{ rows: number; writes: number }>;
}
