// The store as the rest of nexusd sees it: asynchronous, and made of whole units of work, never of open
// transactions, so that another database can stand behind it. src/store/sqlite/ is the one there is.

import type { Readable } from "node:stream";
import type { Dedupe, NewEvent, StoredEvent } from "./new-event.ts";
import type { WriteStore } from "./write-store.ts";

/**
 * One thing that a service told nexusd, committed in one transaction or not at all: its events, the cursor that
 * covers them, the deduplication keys, the records that changed with them, and the secrets it came with.
 */
export interface Observation<Event = NewEvent> {
  /** Names the cursor, where there is one: "job:<name>", the name of a job, … */
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

/** A part of the log: `after` is not in it, `upTo` is. */
export interface EventRange {
  after: number;
  upTo: number;
  /** As in an EventQuery. */
  types?: string[];
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

/** What a consumer has not acknowledged, of the types that it wants. Events that retention removed are not counted. */
export interface Pending {
  /** At most as many as were asked for. */
  count: number;
  /** Whether there are more than `count`. */
  isMore: boolean;
  /** The first and the last pending sequence, the latter also beyond `count`; null: nothing is pending. */
  oldest: number | null;
  newest: number | null;
  /** When the oldest one was committed, RFC 3339. */
  oldestAt: string | null;
  /** How many of each full type are among the first `count`. */
  types: Record<string, number>;
}

export interface Binding {
  /** The hash of the token that an agent shows; left out: none is wanted. */
  proof?: string;
  /** The hash of the token that a consumer which is made now is bound to. */
  bindTo?: string;
}

export interface Placing extends Binding {
  /** Leaves one that is there where it is. */
  isNew?: boolean;
}

export interface SearchQuery {
  type?: string;
  /** Each word of it begins a word of whom the event is about: names, addresses, the kind. */
  target?: string;
  /** Each word of it begins a word of the content, the evidence or the target. */
  text?: string;
  /** 0 to 1; one that does not say how sure it is has none. */
  minConfidence?: number;
  /** RFC 3339, inclusive; compared with the event's time. */
  since?: string;
  until?: string;
  limit: number;
  /** The page ends with the event by which their data is as long, in characters. */
  maxLength?: number;
}

/** A searchable event (see searchable.ts): it is kept when the log does not have it any more. */
export interface FoundEvent {
  /** The place of its event in the log, also where retention has removed that. */
  sequence: number;
  time: string;
  /** JSON text, as in the event. */
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

export interface Store extends WriteStore {
  /** Names this database; another value means another log. */
  readonly epoch: string;
  /** @throws StoreError `full`, `read_only` or `io`: nothing was committed, the same call can be made again. */
  commitObservation(observation: Observation): Promise<Committed>;
  readEvents(query: EventQuery): Promise<EventPage>;
  /** How many there are, at the cost of a look into an index for each. */
  countEvents(range: EventRange): Promise<number>;
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
  searchEvents(query: SearchQuery): Promise<FoundEvent[]>;

  // "bound" is the answer of these three where the consumer is bound to another token than that of `proof`.

  /**
   * Creates or repositions. `from` is a sequence already acknowledged, or one of the two ends of the log.
   * "exists" is the answer where only a new one was wanted.
   */
  putConsumer(
    name: string,
    from: number | "oldest" | "latest",
    types?: string[],
    /** Undefined is the answer where a new one would be more than so many. */
    most?: number,
    placing?: Placing,
  ): Promise<Consumer | "bound" | "exists" | undefined>;
  /** Which events it wants from now on (null: all), wherever it is. @returns undefined when unknown */
  setConsumerTypes(name: string, types: string[] | null): Promise<Consumer | undefined>;
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
   * What the consumer has not acknowledged, counted up to `most` (default 1000): the cost does not grow with the log.
   * @returns undefined when unknown
   */
  pending(consumer: string, most?: number): Promise<Pending | undefined>;
  /**
   * Calls back after each commit that moved a consumer: acknowledged, placed anew (also where it was made, or placed
   * where it was) or deleted, with its position, which is 0 for one that was deleted. @returns unsubscribe
   */
  onAcknowledge(listener: (consumer: string, sequence: number) => void): () => void;

  /**
   * Removes the oldest events: those before `before` (RFC 3339) and those beyond the newest `keep`. What was not met
   * since `repeatsBefore` (default: `REPEATS_KEPT_MS` ago), nor since the oldest event, counts as new when it comes again.
   */
  pruneEvents(limits: {
    before?: string;
    keep?: number;
    repeatsBefore?: string;
  }): Promise<{ removed: number }>;
  /** Removes what is before a time (RFC 3339) from what can be searched, not from the log. */
  forgetSearchable(before: string): Promise<{ removed: number }>;
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
