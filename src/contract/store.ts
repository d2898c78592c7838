// The store as the rest of nexusd sees it: asynchronous, and made of whole units of work instead of open
// transactions, so that another database can implement it. src/store/sqlite/ is the present implementation.

import type { Readable } from "node:stream";
import type { Fleet } from "./fleet.ts";
import type { Dedupe, NewEvent, StoredEvent } from "./new-event.ts";
import type { SharedRecords } from "./shared-records.ts";
import type { WriteStore } from "./write-store.ts";

/**
 * One observation of a service, committed in one transaction or not at all: its events, the cursor that covers them,
 * the deduplication keys, and the records and secrets that changed with them.
 */
export interface Observation<Event = NewEvent> {
  /** Names the cursor, if there is one: "job:<name>", the name of a job, … */
  source: string;
  /** Any JSON value. Left out: the stored cursor stays as it is. */
  cursor?: unknown;
  events?: Event[];
  /**
   * Keys of what is known already and must never become an event: anything that arrives with such a key is a
   * repetition.
   */
  known?: Dedupe[];
  /** Records to write: the current rows of a watch, the sessions. `value` is any JSON value. */
  put?: { kind: string; key: string; value: unknown }[];
  remove?: { kind: string; key: string }[];
  secrets?: { name: string; value: string | null }[];
  /**
   * Whether the commit may be delayed by some milliseconds to share it with others, if commits follow each other
   * closely.
   */
  canWait?: boolean;
}

export interface Committed {
  /** Events that were new, in order, with the sequence each got; duplicates are left out. */
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
  /** The page ends with the event that brings the total length of their data to this many characters. */
  maxLength?: number;
}

/** A part of the log: `after` is exclusive, `upTo` inclusive. */
export interface EventRange {
  after: number;
  upTo: number;
  /** As in EventQuery. */
  types?: string[];
}

export interface EventPage {
  events: StoredEvent[];
  /** What to pass as `after` next: the last event's sequence, or `latest` if nothing more matches. */
  next: number;
  /** The first sequence still kept (latest + 1 when none is). */
  oldest: number;
  latest: number;
  /** The sequences after `after` that retention removed, both inclusive. */
  gap: { from: number; to: number } | null;
}

export interface Consumer {
  name: string;
  /** The last acknowledged sequence. */
  position: number;
  types: string[] | null;
  /** Whether an agent needs its token to move, reset or delete it. */
  isBound: boolean;
  createdAt: string;
  updatedAt: string;
}

/** The events that a consumer wants and has not acknowledged. Events that retention removed are not counted. */
export interface Pending {
  /** At most the limit that was asked for. */
  count: number;
  /** Whether there are more than `count`. */
  isMore: boolean;
  /** The first and the last pending sequence, the last one also beyond `count`; null: nothing is pending. */
  oldest: number | null;
  newest: number | null;
  /** When the oldest one was committed, RFC 3339. */
  oldestAt: string | null;
  /** How many of the first `count` events have each full type. */
  types: Record<string, number>;
}

export interface Binding {
  /** The hash of the agent's token; left out: no token is needed. */
  proof?: string;
  /** The hash of the token that a new consumer is bound to. */
  bindTo?: string;
}

export interface Placing extends Binding {
  /** Only create: leave an existing consumer where it is. */
  isNew?: boolean;
}

export interface SearchQuery {
  type?: string;
  /** Each word of it must begin a word of whom the event is about: names, addresses, the kind. */
  target?: string;
  /** Each word of it must begin a word of the content, the evidence or the target. */
  text?: string;
  /** 0 to 1; an event without a confidence counts as having none. */
  minConfidence?: number;
  /** RFC 3339, inclusive; compared with the event's time. */
  since?: string;
  until?: string;
  limit: number;
  /** The page ends with the event that brings the total length of their data to this many characters. */
  maxLength?: number;
}

/** A searchable event (see searchable.ts): kept after the log has removed it. */
export interface FoundEvent {
  /** The sequence of its event, even after retention has removed that. */
  sequence: number;
  time: string;
  /** JSON text, as in the event. */
  data: string;
}

/** The first `limit` keys after `after`, up to `upTo` (inclusive; default: the last key). */
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

/** Figures of the store. Times are RFC 3339 or null. */
export interface StoreFigures {
  /** Events appended since the store was opened, by full type. */
  appended: Record<string, number>;
  /** The first sequence still kept (latest + 1 when none is). */
  oldest: number;
  latest: number;
  bytes: { database: number; wal: number };
  /** When the oldest write of each state entered it; null: no write is in it. */
  waitingSince: Record<"proposed" | "approved" | "executing" | "unknown", string | null>;
  consumers: {
    count: number;
    /**
     * How many events the furthest-behind consumer is behind: from the oldest event that some consumer wants and has
     * not acknowledged to the end of the log; 0: there is none.
     */
    behind: number;
    /** When that event was committed. */
    behindSince: string | null;
  };
}

/** What a service repeats after a longer silence counts as new: the log has forgotten it. */
export const REPEATS_KEPT_MS = 90 * 86_400_000;

export interface Store extends WriteStore {
  /** Identifies this database; another value means another log. */
  readonly epoch: string;
  /** The nodes that share this database. */
  readonly fleet: Fleet;
  /** What the other nodes change in it; undefined: one nexusd has it for itself. */
  readonly shared?: SharedRecords;
  /**
   * @throws StoreError `full`, `read_only` or `io`: nothing was committed, and the call can be repeated; `fenced`: the
   * lease that it was made under is lost
   */
  commitObservation(observation: Observation): Promise<Committed>;
  readEvents(query: EventQuery): Promise<EventPage>;
  /** How many events there are; the cost is one index lookup for each. */
  countEvents(range: EventRange): Promise<number>;
  /** The types of all events that are or were in the log, with their prefix. */
  readEventTypes(): Promise<string[]>;
  readCursor(source: string): Promise<{ value: unknown; updatedAt: string } | undefined>;
  /** Ordered by key, byte by byte; all records, or a range of keys. */
  readRecords(kind: string, part?: RecordRange): Promise<StoredRecord[]>;
  readRecord(kind: string, key: string): Promise<StoredRecord | undefined>;
  readSecret(name: string): Promise<string | undefined>;
  /**
   * All searchable events ever received, newest first. Word searches run beside all other calls, and do not hold them
   * up.
   * @throws StoreError `busy` if it takes too long
   */
  searchEvents(query: SearchQuery): Promise<FoundEvent[]>;

  // These three return "bound" if the consumer is bound to another token than that of `proof`.

  /**
   * Creates or repositions a consumer. `from` is a sequence already acknowledged, or one of the two ends of the log.
   * Returns "exists" if only a new one was wanted.
   */
  putConsumer(
    name: string,
    from: number | "oldest" | "latest",
    types?: string[],
    /** The limit on consumers: returns undefined if a new one would exceed it. */
    most?: number,
    placing?: Placing,
  ): Promise<Consumer | "bound" | "exists" | undefined>;
  /** Sets the types that it wants from now on (null: all), whatever its position. @returns undefined when unknown */
  setConsumerTypes(name: string, types: string[] | null): Promise<Consumer | undefined>;
  readConsumer(name: string): Promise<Consumer | undefined>;
  /** Ordered by name. */
  readConsumers(page: { after?: string; limit: number }): Promise<Consumer[]>;
  /** Moves the position forward; a smaller sequence changes nothing. @returns undefined when unknown. */
  ackConsumer(
    name: string,
    sequence: number,
    binding?: Pick<Binding, "proof">,
  ): Promise<Consumer | "bound" | undefined>;
  deleteConsumer(name: string, binding?: Pick<Binding, "proof">): Promise<boolean | "bound">;
  /**
   * What the consumer has not acknowledged, counted up to `most` (default 1000): the cost does not grow with the log.
   * @returns undefined when unknown
   */
  pending(consumer: string, most?: number): Promise<Pending | undefined>;
  /**
   * Calls back after each commit that acknowledged, created, reset or deleted a consumer, also if its position stayed
   * the same. The position of a deleted one is 0. @returns unsubscribe
   */
  onAcknowledge(listener: (consumer: string, sequence: number) => void): () => void;

  /**
   * Removes the oldest events: those before `before` (RFC 3339) and those beyond the newest `keep`. Deduplication
   * keys not seen since `repeatsBefore` (default: `REPEATS_KEPT_MS` ago), nor since the oldest event, are forgotten:
   * what comes with them counts as new.
   */
  pruneEvents(limits: {
    before?: string;
    keep?: number;
    repeatsBefore?: string;
  }): Promise<{ removed: number }>;
  /** Removes what is before a time (RFC 3339) from the search index, not from the log. */
  forgetSearchable(before: string): Promise<{ removed: number }>;
  /** Calls back after each commit that appended events, with the newest sequence. @returns unsubscribe */
  onAppend(listener: (latest: number) => void): () => void;
  /**
   * A consistent copy of the database: an SQLite file of `size` bytes, removed when the stream is closed.
   * @throws StoreError
   */
  backup(): Promise<{ size: number; stream: Readable }>;
  readFigures(): Promise<StoreFigures>;
  /** Checks that a commit works now; rejects with the error that a commit would meet. */
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
  | "io"
  | "fenced";

/** A database that cannot be used, or a commit that failed. The message ends with the remedy. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
