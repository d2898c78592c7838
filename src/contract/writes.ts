// A write as it is stored, and everything that can be done with it: the types of the write path.

import type { Actor } from "./actor.ts";
import type { WriteReviewView } from "./api/writes.ts";
import type { Service } from "./new-event.ts";
import type { Decision, SignedApproval, SignedDecision, Signing } from "./signing.ts";

export const WRITE_STATES = [
  "proposed",
  "approved",
  "executing",
  "succeeded",
  "failed",
  "unknown",
  "rejected",
  "expired",
  "cancelled",
  "resolved",
] as const;
export type WriteState = (typeof WRITE_STATES)[number];

/** The only transitions between states. */
export const TRANSITIONS: Readonly<Record<WriteState, readonly WriteState[]>> = {
  proposed: ["approved", "rejected", "expired", "cancelled"],
  approved: ["executing", "failed", "cancelled"],
  executing: ["succeeded", "failed", "unknown"],
  unknown: ["resolved"],
  succeeded: [],
  failed: [],
  rejected: [],
  expired: [],
  cancelled: [],
  resolved: [],
};

/** Whether its state no longer changes without a person (who has to resolve `unknown`). */
export const isFinal = ({ state }: Pick<Write, "state">): boolean =>
  state === "unknown" || TRANSITIONS[state].length === 0;

/** Whether the request was carried out. */
export const isDone = ({ state, outcome }: Pick<Write, "state" | "outcome">): boolean =>
  state === "succeeded" || (state === "resolved" && outcome === "succeeded");

export type Approval = "operator" | "auto" | "deny" | "signed";

/** The real request as a person sees it and as the executor compares it, credentials only by name. */
export interface PreviewRequest {
  method: string;
  /** Complete, with the query. */
  url: string;
  /** In the order they are sent; a credential appears as `‹api key›`, `‹agent token›`, `‹session key›`. */
  headers: { name: string; value: string }[];
  /** The exact text that is sent, or null. */
  body: string | null;
  /** What else the person who decides should know. */
  notice?: string;
}

/** The account that a request is sent with, as far as it can be identified without a secret. */
export interface Account {
  /** Scheme, host and port. */
  origin: string;
  /** Which credential: "nex", "nexus", "session". */
  credential: string;
  /** HMAC-SHA-256 of the long-lived secret under a key of this database, lower case hex; null: there is no secret. */
  fingerprint: string | null;
}

export interface WriteResult {
  /** The answer as parsed by the operation. */
  output?: unknown;
  error?: { code: string; message: string };
  /** How to find out the outcome, for `unknown`. */
  remedy?: string;
}

export interface Write {
  id: string;
  operation: string;
  service: Service;
  state: WriteState;
  /** Canonical JSON (RFC 8785) of `{operation, input}`: the stored bytes. Empty once the body was removed. */
  request: string;
  /** SHA-256 of `request`, lower case hex. */
  digest: string;
  preview: PreviewRequest;
  /** What the operation's precondition read when it was proposed, as canonical JSON; null: it has none. */
  precondition: string | null;
  target: string;
  idempotent: boolean;
  destructive: boolean;
  approval: Approval;
  reason: string | null;
  /** The proposing agent's self-chosen name; not verified. */
  agent: string | null;
  /** Scoped to the agent's name and the operation. */
  idempotencyKey: string | null;
  /** As of the proposal; null: nothing is sent, or it is from before this was stored. */
  account: Account | null;
  /** Whether an agent needs the token of the proposal to withdraw it. */
  isBound: boolean;
  /** RFC 3339 UTC, like all times here. */
  proposedAt: string;
  expiresAt: string;
  shownAt: string | null;
  decidedAt: string | null;
  decidedBy: Actor | null;
  /** Those who signed its approval, even if more are required, in order. */
  signedBy: SignedApproval[];
  /** The operator's note on the approval or resolution, or the reason of a rejection. */
  note: string | null;
  executingAt: string | null;
  finishedAt: string | null;
  /** Requests that were sent, or may have been. */
  attempts: number;
  result: WriteResult | null;
  /** The outcome that `resolved` recorded. */
  outcome: "succeeded" | "failed" | null;
  /**
   * When request, preview, precondition and output were removed, long after it finished; null: they exist.
   * Digest, states, times and the error stay.
   */
  bodyRemovedAt: string | null;
}

/** A write in a list: without the request and the result, which may be long. */
export interface WriteSummary
  extends Pick<
    Write,
    | "id"
    | "operation"
    | "service"
    | "state"
    | "digest"
    | "target"
    | "destructive"
    | "approval"
    | "reason"
    | "agent"
    | "proposedAt"
    | "expiresAt"
    | "decidedAt"
    | "executingAt"
    | "finishedAt"
    | "note"
    | "outcome"
    | "bodyRemovedAt"
  > {
  /** Target and change in a few words, of unknown origin: "order NX-1006: pending to shipped". */
  about: string;
  /** Why it failed. */
  error: { code: string; message: string } | null;
}

/** Rows about the audit log itself: an operator signed off the rows before, or signed-off rows were removed. */
export const AUDIT_MARKS = ["checkpoint", "pruned"] as const;
export type AuditMark = (typeof AUDIT_MARKS)[number];

/**
 * Rows about a write that are not steps of it: it was shown; its long fields were removed by retention; one of several
 * signers approved it.
 */
export const WRITE_MARKS = ["shown", "body_removed", "signed"] as const;
export type WriteMark = (typeof WRITE_MARKS)[number];

export type AuditAction = WriteMark | WriteState | AuditMark;

/** One row of the audit log. `hash` covers all other fields, including the hash of the previous row. */
export interface AuditRow {
  sequence: number;
  at: string;
  action: AuditAction;
  /** Empty for rows about the audit log itself. */
  writeId: string;
  /** The write's digest; for a checkpoint or pruned rows, the hash of the last row that it covers. */
  digest: string;
  actor: Actor;
  /** Further facts: operation, reason, note, result code; canonical JSON. */
  detail: string;
  /**
   * `{set, event}` as canonical JSON: the columns that the step set in its write, and its event
   * (src/contract/audit-cover.ts). Left out: a row about the log itself, or from before this was stored.
   */
  covers?: string;
  previousHash: string;
  hash: string;
}

export type WriteErrorCode =
  | "operation_not_found"
  | "invalid_input"
  | "not_a_read"
  | "not_a_write"
  | "policy_denied"
  | "recently_rejected"
  | "idempotency_conflict"
  | "write_not_found"
  | "write_expired"
  | "write_already_decided"
  | "write_not_unknown"
  | "stale"
  | "token_required"
  | "digest_mismatch"
  | "proposal_too_large"
  | "preview_too_long"
  | "too_many_open_proposals"
  | "secret_in_text"
  | "signature_required"
  | "signer_not_allowed"
  | "statement_malformed"
  | "statement_version"
  | "statement_other_write"
  | "statement_other_epoch"
  | "statement_mismatch"
  | "statement_expired"
  | "statement_used";

/** A refusal of the write path. `write` is the write concerned, if any. */
export class WriteError extends Error {
  override readonly name = "WriteError";
  readonly code: WriteErrorCode;
  readonly errors: { path: string; message: string }[] | undefined;
  readonly write: Write | undefined;

  constructor(
    code: WriteErrorCode,
    message: string,
    options: { errors?: { path: string; message: string }[]; write?: Write } = {},
  ) {
    super(message);
    this.code = code;
    this.errors = options.errors;
    this.write = options.write;
  }
}

export interface Proposal {
  operation: string;
  /** As the caller gave it, integers above 2^53 as bigint. */
  input: unknown;
  reason?: string;
  idempotencyKey?: string;
  agent?: string;
  ttlMs?: number;
}

/** At least one of `agent` and `operation`. */
export interface RejectFilter {
  /** The agent's self-chosen name. */
  agent?: string;
  /** A name, "nexus.*", or "*". */
  operation?: string;
  /** A write id: later proposals are left alone. */
  upTo?: string;
  dryRun?: boolean;
}

export interface Rejected {
  /** How many were rejected, or would be. */
  count: number;
  /** The first hundred of them, newest first. */
  writes: Pick<WriteSummary, "id" | "operation" | "agent" | "reason" | "proposedAt">[];
}

export interface WriteQuery {
  states?: WriteState[];
  /** Only those on this target. */
  target?: string;
  /** Only those of this operation. */
  operation?: string;
  /** A write id: only older ones. */
  after?: string;
  limit: number;
  /** The page ends with the write that brings the total length of the texts to this many characters. */
  maxLength?: number;
}

/** Everything that the control API can ask of the write path. All throw WriteError, OperationError, StoreError. */
export interface Writes {
  /** @param tokenHash hash of the token that an agent needs to withdraw it */
  propose(proposal: Proposal, actor: Actor, tokenHash?: string): Promise<{ write: Write; isNew: boolean }>;
  get(id: string): Promise<Write>;
  /** For the first display to an operator: appends its audit row. */
  show(id: string, actor: Actor): Promise<Write>;
  list(query: WriteQuery): Promise<Write[]>;
  /** The same writes without their long fields: thousands of them are cheap. */
  summaries(query: WriteQuery): Promise<WriteSummary[]>;
  /** Resolves when the write is no longer in `state`, at the deadline, or when the signal aborts. */
  waitFor(id: string, state: WriteState, waitMs: number, signal: AbortSignal): Promise<Write>;
  approve(id: string, digest: string, actor: Actor, note?: string): Promise<Write>;
  reject(id: string, reason: string, actor: Actor): Promise<Write>;
  /** The text to sign for a decision on it: the same bytes as long as the write awaits one. */
  statement(id: string, decision: Decision): Promise<string>;
  /**
   * Accepts a signed decision. The write is still proposed if the policy requires more signers.
   * @param actor the way it arrived, which gives no authority
   * @throws WriteError, SignatureError
   */
  decide(id: string, signed: SignedDecision, actor: Actor): Promise<Write>;
  /** What else a person needs to know before deciding on it. */
  review(write: Write): Promise<Omit<WriteReviewView, "write" | "preview">>;
  /** The signatures that the current policy requires for it; undefined: no signature decides it. */
  signing(write: Write): Signing | undefined;
  /** Rejects every proposal that matches the filter and is not newer than `upTo`; with `dryRun`, only counts them. */
  rejectAll(filter: RejectFilter, reason: string, actor: Actor): Promise<Rejected>;
  /**
   * Withdraws a proposal; an operator can also stop an approved write that has not begun.
   * @param tokenHash hash of the token that an agent presents for a bound write; left out: none is needed
   */
  cancel(id: string, actor: Actor, tokenHash?: string): Promise<Write>;
  resolve(id: string, outcome: "succeeded" | "failed", note: string, actor: Actor): Promise<Write>;
  /** How many writes are in each state; states without any are 0. */
  counts(): Promise<Record<WriteState, number>>;
}

/** Runs a read for `POST /v1/reads`. */
export interface Reads {
  /**
   * `waitedMs` is the time spent waiting for nexusd's limits, `durationMs` all the rest.
   * @param priority who is waiting for it
   */
  run(
    operation: string,
    input: unknown,
    signal: AbortSignal,
    priority: "people" | "agent_reads",
  ): Promise<{ output: unknown; service: Service; durationMs: number; waitedMs: number }>;
}

/** An operation as `GET /v1/operations` lists it. */
export interface OperationSummary {
  name: string;
  service: Service;
  effect: "read" | "write";
  title: string;
  description: string;
  approval: Approval | null;
  idempotent: boolean;
  destructive: boolean;
  inputSchema: unknown;
  /** The service itself wrote title, description and input schema. */
  describedBy?: "service";
}
