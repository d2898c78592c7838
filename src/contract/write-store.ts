// The store's part for writes and the audit log: every step of a write is one conditional update, one event and one
// audit row, in one transaction.

import type { Actor } from "./actor.ts";
import type { SignedApproval } from "./signing.ts";
import type { Observation } from "./store.ts";
import type { AuditRow, Write, WriteQuery, WriteState, WriteSummary } from "./writes.ts";

/** Open writes, neither rejected nor finished: how many, and the bytes (UTF-8) of their requests and previews. */
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
  /** Only if the write expires after this time (RFC 3339). */
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
  /** Hash of the agent's token, for a bound write; left out: no token is needed. */
  tokenHash?: string;
  /** Only if these are its signed approvals; left out: whichever it has. */
  signedBefore?: readonly SignedApproval[];
  /** For the audit row. */
  detail: unknown;
  /** What else changes in the same transaction; nothing if the update does not happen. */
  observations?: Observation[];
}

/** What identifies an earlier proposal with the same idempotency key. */
export interface IdempotencyKey {
  key: string;
  operation: string;
  agent: string | null;
}

export interface ProposeOptions {
  rejectedSince: string;
  /** Whether a rejection of that time (RFC 3339) still counts; default: each since `rejectedSince` does. */
  isRecent?: (decidedAt: string) => boolean;
  /** The most that may be open at once, including this one. */
  most?: OpenWrites;
  /** Who approves it in the same transaction; left out: it waits for a decision. */
  approveBy?: Actor;
  /** SHA-256 of the token that an agent needs to withdraw it. */
  tokenHash?: string;
}

export interface AuditVerdict {
  /** True if nothing below reports a fault. */
  ok: boolean;
  /** The number of rows ever written, which is the sequence of the last one. */
  rows: number;
  head: string | null;
  /** The rows 1 to `to` were removed, as row `row` records; `checkpoint` is the row that signed them off. */
  pruned: { to: number; at: string; row: number; checkpoint: number } | null;
  /** The first row that was changed, removed or is out of order, and why. */
  brokenAt?: { sequence: number; why: string };
  /** The first twenty writes and events that do not match the chain. */
  changed: { writeId: string; why: string }[];
  /** How many there are in all. */
  changedCount: number;
  /** For the head that was asked for: the row with that hash; null: the chain has no such row. */
  noted?: { head: string; row: number | null };
}

/**
 * Further checks of a write that is not final or has a signed decision, beside what the chain covers: what does not match
 * its rows; empty: all does.
 */
export type FurtherLook = (write: Write, rows: readonly AuditRow[]) => string[];

export interface WriteStore {
  /**
   * In one transaction: looks for the idempotency key and a recent rejection; if there is neither, stores the write,
   * its event and its audit row. With `approveBy`, also the approval with its event and row.
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
    | { kind: "too_many_open" } // it would exceed `most`
  >;
  /** @returns the write after the change, or `kind: "refused"` with the write as it is, or undefined when unknown */
  transitionWrite(
    transition: WriteTransition,
  ): Promise<{ kind: "done"; write: Write } | { kind: "refused"; write: Write } | undefined>;
  /**
   * Stores a signed approval of a write that needs more of them, with its event and audit row. One conditional
   * update, like a transition.
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
   * Moves the first approved write whose target has none executing to `executing`. Writes approved by a person come
   * before those approved by the policy, each in the order of approval. The request is counted before it is sent, so
   * that a crash leaves none uncounted; the result says how many were sent.
   * @param onlyPeoples leaves out what the policy approved
   */
  claimNextWrite(actor: Actor, at: string, onlyPeoples?: boolean): Promise<Write | undefined>;
  /** Counts another attempt of an idempotent write, without a change of state. */
  countWriteAttempt(id: string): Promise<void>;
  /** Counts writes that are proposed, approved or executing. */
  countOpenWrites(): Promise<OpenWrites>;
  /** Whether the write is in this state, without reading the rest of it. */
  isWriteIn(id: string, state: WriteState): Promise<boolean>;
  readWrite(id: string): Promise<Write | undefined>;
  readWriteByIdempotencyKey(key: IdempotencyKey): Promise<Write | undefined>;
  /** Newest first. */
  readWrites(query: WriteQuery): Promise<Write[]>;
  /** The same writes without their long fields. A page may be shorter than `limit` if they are long. */
  readWriteSummaries(query: WriteQuery): Promise<WriteSummary[]>;
  countWrites(): Promise<Record<WriteState, number>>;
  /**
   * Moves proposed writes past their expiry to `expired`, each with event and audit row.
   * @param isOver whether its lifetime has passed; default: by the wall clock
   */
  expireWrites(
    at: string,
    isOver?: (write: Pick<Write, "proposedAt" | "expiresAt">) => boolean,
  ): Promise<Write[]>;
  /**
   * Removes request, preview, precondition and output of the writes that finished before `before` (RFC 3339), each
   * with an audit row. Open and unknown writes stay whole. @returns how many
   */
  removeBodies(before: string, at: string): Promise<{ removed: number }>;
  /** Sets `shownAt` and appends the audit row, the first time only. */
  markWriteShown(id: string, actor: Actor, at: string): Promise<Write | undefined>;
  readAudit(query: { after?: number; limit: number; writeId?: string }): Promise<AuditRow[]>;
  /**
   * Verifies the whole chain and compares it with the writes and their events, in small parts, so that others get
   * their turn. @param head the hash of a row, noted elsewhere: it must still be in the chain
   */
  verifyAudit(head?: string, also?: FurtherLook): Promise<AuditVerdict>;
  /**
   * Why the write must not be executed, by its rows of the audit log; undefined: they hold its approval, unchanged.
   * @param claimed what would be executed: it must equal the stored write
   */
  whyNotApproved(id: string, claimed?: Write): Promise<string | undefined>;
  /**
   * Appends the checkpoint with which an operator signs off the rows up to `sequence`, whose hash is `hash`.
   * @returns `signed`, or `covered` with the row of an earlier checkpoint that reaches as far; undefined: no such row
   */
  signOffAudit(
    signed: { sequence: number; hash: string; note: string | null },
    actor: Actor,
    at: string,
  ): Promise<{ kind: "signed" | "covered"; row: AuditRow } | { kind: "hash_mismatch" } | undefined>;
  /**
   * Removes the oldest rows of the audit log that are older than `before` (RFC 3339), up to the newest checkpoint and
   * to the first row of an unfinished write, and the writes that have no row left. A row of the chain records it.
   */
  pruneAudit(before: string, at: string): Promise<{ rows: number; writes: number }>;
}
