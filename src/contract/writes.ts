// A write as it is stored, and everything that can be done to it: the words of the write path.

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

/** The only ways from one state to another. */
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

/** Whether nothing more happens to it by itself: of `unknown` a person finds out. */
export const isFinal = ({ state }: Pick<Write, "state">): boolean =>
  state === "unknown" || TRANSITIONS[state].length === 0;

/** Whether what was asked for is done. */
export const isDone = ({ state, outcome }: Pick<Write, "state" | "outcome">): boolean =>
  state === "succeeded" || (state === "resolved" && outcome === "succeeded");

export type Approval = "operator" | "auto" | "deny" | "signed";

/** The real request as a person is shown it and as the executor compares it, credentials by name only. */
export interface PreviewRequest {
  method: string;
  /** Whole, with the query. */
  url: string;
  /** In the order they are sent; a credential's value stands as `‹api key›`, `‹agent token›`, `‹session key›`. */
  headers: { name: string; value: string }[];
  /** The exact text that is sent, or null. */
  body: string | null;
  /** What the person who decides should know beside it. */
  notice?: string;
}

/** The account that a request is sent with, as far as it can be told without a secret. */
export interface Account {
  /** Scheme, host and port. */
  origin: string;
  /** Which credential: "nex", "nexus", "session". */
  credential: string;
  /** HMAC-SHA-256 of the long-lived secret under a key of this database, lower case hex; null: there is no secret. */
  fingerprint: string | null;
}

export interface WriteResult {
  /** What the operation's parser made of the answer. */
  output?: unknown;
  error?: { code: string; message: string };
  /** How to find out what became of it, for `unknown`. */
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
  /** What the operation's precondition read at the proposal, as canonical JSON; null: it has none. */
  precondition: string | null;
  target: string;
  idempotent: boolean;
  destructive: boolean;
  approval: Approval;
  reason: string | null;
  /** The name that the proposing agent gave itself; it is not verified. */
  agent: string | null;
  /** Belongs to the agent's name and the operation: others with the same key are others. */
  idempotencyKey: string | null;
  /** Of the proposal; null: nothing is sent, or it is from before this was kept. */
  account: Account | null;
  /** Whether an agent needs the token of the proposal to withdraw it. */
  isBound: boolean;
  /** RFC 3339 UTC, as all times here. */
  proposedAt: string;
  expiresAt: string;
  shownAt: string | null;
  decidedAt: string | null;
  decidedBy: Actor | null;
  /** Those who signed its approval, also while more are wanted, in their order. */
  signedBy: SignedApproval[];
  /** The operator's note at the approval or resolution, the reason of a rejection. */
  note: string | null;
  executingAt: string | null;
  finishedAt: string | null;
  /** Requests that were put on the wire, or may have been. */
  attempts: number;
  result: WriteResult | null;
  /** What `resolved` found it to have been. */
  outcome: "succeeded" | "failed" | null;
  /**
   * When request, preview, precondition and output were removed, long after it was finished; null: they are there.
   * Digest, states, times and the error stay.
   */
  bodyRemovedAt: string | null;
}

/** A write as a list shows it: without the request and the result, which may be long. */
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

/** The rows about the audit log itself: an operator signed off what is before, or what was signed off was removed. */
export const AUDIT_MARKS = ["checkpoint", "pruned"] as const;
export type AuditMark = (typeof AUDIT_MARKS)[number];

/**
 * Rows about a write that are no step of it: somebody saw it; what is long of it was removed by retention; one of
 * several signers approved it.
 */
export const WRITE_MARKS = ["shown", "body_removed", "signed"] as const;
export type WriteMark = (typeof WRITE_MARKS)[number];

export type AuditAction = WriteMark | WriteState | AuditMark;

/** One row of the audit log. `hash` covers all the other fields, the hash of the row before among them. */
export interface AuditRow {
  sequence: number;
  at: string;
  action: AuditAction;
  /** Empty for rows about the audit log itself. */
  writeId: string;
  /** Of the write; of a checkpoint or of pruned rows: the hash of the last row that it covers. */
  digest: string;
  actor: Actor;
  /** What else belongs to it: operation, reason, note, result code; canonical JSON. */
  detail: string;
  /**
   * `{set, event}` as canonical JSON: what the step set in the row of its write, and the event that tells of it
   * (src/contract/audit-cover.ts). Left out: a row about the log itself, or from before this was kept.
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

/** A refusal of the write path. `write` is the write concerned, where there is one. */
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
  /** The name that the agent gave itself. */
  agent?: string;
  /** A name, "nexus.*", or "*". */
  operation?: string;
  /** A write id: what was proposed after it is left alone. */
  upTo?: string;
  dryRun?: boolean;
}

export interface Rejected {
  /** How many were rejected, or would be. */
  count: number;
  /** The first hundred of them, the newest first. */
  writes: Pick<WriteSummary, "id" | "operation" | "agent" | "reason" | "proposedAt">[];
}

export interface WriteQuery {
  states?: WriteState[];
  /** Only those on this target. */
  target?: string;
  /** Only those of this operation. */
  operation?: string;
  /** A write id: those older than it. */
  after?: string;
  limit: number;
  /** They end with the write by which their texts are as long, in characters. */
  maxLength?: number;
}

/** Everything that the control API can ask of the write path. All throw WriteError, OperationError, StoreError. */
export interface Writes {
  /** @param tokenHash of the token without which no agent withdraws it */
  propose(proposal: Proposal, actor: Actor, tokenHash?: string): Promise<{ write: Write; isNew: boolean }>;
  get(id: string): Promise<Write>;
  /** As an operator sees it for the first time: leaves its audit row. */
  show(id: string, actor: Actor): Promise<Write>;
  list(query: WriteQuery): Promise<Write[]>;
  /** The same writes, without what may be long of them: thousands of them cost little. */
  summaries(query: WriteQuery): Promise<WriteSummary[]>;
  /** Resolves when the write is no longer in `state`, at the deadline, or when the signal aborts. */
  waitFor(id: string, state: WriteState, waitMs: number, signal: AbortSignal): Promise<Write>;
  approve(id: string, digest: string, actor: Actor, note?: string): Promise<Write>;
  reject(id: string, reason: string, actor: Actor): Promise<Write>;
  /** The text to sign for a decision on it: the same bytes as long as it waits for one. */
  statement(id: string, decision: Decision): Promise<string>;
  /**
   * Takes a signed decision. The write is still proposed where the policy wants more signers.
   * @param actor by which way it came, which gives no right to anything
   * @throws WriteError, SignatureError
   */
  decide(id: string, signed: SignedDecision, actor: Actor): Promise<Write>;
  /** What else a person wants to know before deciding about it. */
  review(write: Write): Promise<Omit<WriteReviewView, "write" | "preview">>;
  /** What the policy of now wants signed of it; undefined: no signature decides it. */
  signing(write: Write): Signing | undefined;
  /** Every proposal that the filter names, none of them newer than `upTo`; with `dryRun` they are only counted. */
  rejectAll(filter: RejectFilter, reason: string, actor: Actor): Promise<Rejected>;
  /**
   * Withdraws a proposal; an operator also stops an approved write that has not begun.
   * @param tokenHash what an agent can show of the token of a bound write; left out: no token is wanted
   */
  cancel(id: string, actor: Actor, tokenHash?: string): Promise<Write>;
  resolve(id: string, outcome: "succeeded" | "failed", note: string, actor: Actor): Promise<Write>;
  /** How many writes are in each state; states without any are 0. */
  counts(): Promise<Record<WriteState, number>>;
}

/** Runs a read for `POST /v1/reads`. */
export interface Reads {
  /**
   * `waitedMs` is for the limits of nexusd, `durationMs` all the rest.
   * @param priority whose it is
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
