// The store as the rest of nexusd sees it: asynchronous, and made of whole units of work, never of open
// transactions, so that another database can stand behind it. src/store/sqlite.ts is the one there is.

import type { Readable } from "node:stream";
import type { Dedupe, NewEvent, StoredEvent } from "./new-event.ts";
import type { Actor, AuditRow, Write, WriteQuery, WriteState, WriteSummary } from "./writes.ts";

/**
 * One thing that a service told nexusd, committed in one transaction or not at all: its events, the cursor that
 * covers them, the deduplication keys, the records that changed with them, and the secrets it came with.
 */
export interface Observation<Event = NewEvent> {
  /** Names the cursor, where there is one: "nex.insights", "job:<name>", "nexus-low-stock", … */
  source: string;
  /** Any JSON value. Left out: the stored cursor stays. */
  cursor?: unknown;
  events?: Event[];
  /** Of what is known and shall never be an event: what comes with such a key later is a repetition. */
  known?: Dedupe[];
  /** Records to write: the current rows of a watch, the sessions. `value` is any JSON value. */
  put?: { kind: string; key: string; value: unknown }[];
  remove?: { kind: string; key: string }[];
  secrets?: { name: string; value: string | null }[];
  /** Some milliseconds, for others to share its commit, where commits follow each other closely. */
  canWait?: boolean;
}

export interface Committed {
  /** Events that were new, in their order, with the sequence each got; duplicates are not among them. */
  appended: StoredEvent[];
  duplicates: number;
  /** The newest sequence of the log after the commit (0: the log is empty). */
  latest: number;
}

export interface EventQuery {
  after: number;
  limit: number;
  /** Full types or patterns ending in `.*`, each with or without the prefix `nexusd.`; none: every type. */
  types?: string[];
  /** Only events of this CloudEvents source, such as "/messaging/sessions/<id>". */
  source?: string;
  /** The page ends with the event by which their data is as long, in characters. */
  maxLength?: number;
}

export interface EventPage {
  events: StoredEvent[];
  /** What to pass as `after` next: the last event's sequence, or `latest` when nothing more matches. */
  next: number;
  /** The first sequence still kept (latest + 1 when none is). */
  oldest: number;
  latest: number;
  /** The sequences after `after` that retention removed, both inclusive. */
  gap: { from: number; to: number } | null;
}

/** Writes that are neither decided against nor done: how many, and the bytes (UTF-8) of their requests and previews. */
export interface OpenWrites {
  writes: number;
  bytes: number;
}

export interface Consumer {
  name: string;
  /** The last acknowledged sequence. */
  position: number;
  types: string[] | null;
  /** Whether an agent needs its token to move, place or delete it. */
  isBound: boolean;
  createdAt: string;
  updatedAt: string;
}

export interface Binding {
  /** The hash of the token that an agent shows; left out: none is wanted. */
  proof?: string;
  /** The hash of the token that a consumer which is made now is bound to. */
  bindTo?: string;
}

export interface InsightQuery {
  type?: string;
  /** Each word of it begins a word of whom the insight is about: names, addresses, the kind. */
  target?: string;
  /** Each word of it begins a word of the content, the evidence or the target. */
  text?: string;
  /** 0 to 1; an insight that does not say how sure it is has none. */
  minConfidence?: number;
  /** RFC 3339, inclusive; compared with the event's time. */
  since?: string;
  until?: string;
  limit: number;
  /** The page ends with the insight by which their data is as long, in characters. */
  maxLength?: number;
}

/** An insight of the memory, which outlives its event. */
export interface StoredInsight {
  /** The place of its event in the log, also where retention has removed that. */
  sequence: number;
  time: string;
  /** JSON text of `{insight, workspace, origin}`, as in the event. */
  data: string;
}

/** The first `limit` keys after `after`, up to `upTo` (inclusive; default: to the last one). */
export interface RecordRange {
  after: string;
  upTo?: string;
  limit: number;
}

export interface StoredRecord {
  key: string;
  value: unknown;
  /** `value` as it is stored: the JSON of what was put. */
  json: string;
  updatedAt: string;
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
      "decidedAt" | "decidedBy" | "note" | "executingAt" | "finishedAt" | "attempts" | "result" | "outcome"
    >
  >;
  actor: Actor;
  at: string;
  /** What an agent can show of the token of a bound write; left out: no token is wanted. */
  tokenHash?: string;
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
  /** Writes and their events that are not as the chain says; the first twenty. */
  changed: { writeId: string; why: string }[];
  /** How many there are. */
  changedCount: number;
  /** Of the head that was asked for: the row whose hash it is; null: the chain has no such row. */
  noted?: { head: string; row: number | null };
}

/** How the store stands, in numbers. Times are RFC 3339 or null. */
export interface StoreFigures {
  /** Events appended since the store was opened, by their full type. */
  appended: Record<string, number>;
  /** The first sequence still kept (latest + 1 when none is). */
  oldest: number;
  latest: number;
  bytes: { database: number; wal: number };
  /** Since when the oldest write of each state has been in it; null: there is none. */
  waitingSince: Record<"proposed" | "approved" | "executing" | "unknown", string | null>;
  consumers: {
    count: number;
    /** Events from the oldest one on that some consumer wants and has not acknowledged; 0: there is no such event. */
    behind: number;
    /** When that one was committed. */
    behindSince: string | null;
  };
}

/** A service that repeats something after so long a silence repeats it to a log that forgot it. */
export const REPEATS_KEPT_MS = 90 * 86_400_000;

export interface Store {
  /** Names this database; another value means another log. */
  readonly epoch: string;
  /** @throws StoreError `full`, `read_only` or `io`: nothing was committed, the same call can be made again. */
  commitObservation(observation: Observation): Promise<Committed>;
  readEvents(query: EventQuery): Promise<EventPage>;
  /** The types of the events that are in the log or were, with their prefix. */
  readEventTypes(): Promise<string[]>;
  readCursor(source: string): Promise<{ value: unknown; updatedAt: string } | undefined>;
  /** In the order of their keys, byte by byte; all of them, or those of a part of the keys. */
  readRecords(kind: string, part?: RecordRange): Promise<StoredRecord[]>;
  readRecord(kind: string, key: string): Promise<StoredRecord | undefined>;
  readSecret(name: string): Promise<string | undefined>;
  /**
   * Of all that were ever received, the newest first. Words are looked for beside everything else, not before it.
   * @throws StoreError `busy` where that took too long
   */
  readInsights(query: InsightQuery): Promise<StoredInsight[]>;

  // "bound" is the answer of these three where the consumer is bound to another token than that of `proof`.

  /** Creates or repositions. `from` is a sequence already acknowledged, or one of the two ends of the log. */
  putConsumer(
    name: string,
    from: number | "oldest" | "latest",
    types?: string[],
    /** Undefined is the answer where a new one would be more than so many. */
    most?: number,
    binding?: Binding,
  ): Promise<Consumer | "bound" | undefined>;
  readConsumer(name: string): Promise<Consumer | undefined>;
  /** In the order of their names. */
  readConsumers(page: { after?: string; limit: number }): Promise<Consumer[]>;
  /** Moves the position forward; a sequence behind it changes nothing. @returns undefined when unknown. */
  ackConsumer(
    name: string,
    sequence: number,
    binding?: Pick<Binding, "proof">,
  ): Promise<Consumer | "bound" | undefined>;
  deleteConsumer(name: string, binding?: Pick<Binding, "proof">): Promise<boolean | "bound">;

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
  verifyAudit(head?: string): Promise<AuditVerdict>;
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

  /**
   * Removes the oldest events: those before `before` (RFC 3339) and those beyond the newest `keep`. What was not met
   * since `repeatsBefore` (default: `REPEATS_KEPT_MS` ago), nor since the oldest event, counts as new when it comes again.
   */
  pruneEvents(limits: {
    before?: string;
    keep?: number;
    repeatsBefore?: string;
  }): Promise<{ removed: number }>;
  /** Removes the insights before a time (RFC 3339) from the memory, not from the log. */
  forgetInsights(before: string): Promise<{ removed: number }>;
  /** Calls back after each commit that appended events, with the newest sequence. @returns unsubscribe */
  onAppend(listener: (latest: number) => void): () => void;
  /** A consistent copy of the database: an SQLite file of `size` bytes, gone when the stream is closed. @throws StoreError */
  backup(): Promise<{ size: number; stream: Readable }>;
  readFigures(): Promise<StoreFigures>;
  /** Whether a commit works now; the error is the one that a commit would meet. */
  probe(): Promise<void>;
  close(): Promise<void>;
}

export type StoreErrorCode =
  | "locked"
  | "newer_version"
  | "corrupt"
  | "full"
  | "read_only"
  | "unusable"
  | "busy"
  | "io";

/** A database that cannot be used, or a commit that did not happen. The message ends with the remedy. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
