// Events on their way into the log. Their types and the shapes of their data are declared in src/contract/events.ts.

import type { EventData, EventName } from "./events.ts";

/** The name of a service; src/services/list.ts has them. */
export type Service = string;

export const TYPE_PREFIX = "nexusd.";

export type { EventData, EventName };

/** A failure, in words for a person, with a stable code for a program. */
export interface Failure {
  code: string;
  message: string;
}

/** A step of a write; the write itself, its preview and its result are at `GET /v1/writes/{id}`. */
export type WriteStep = EventData["write.proposed"];

/**
 * How the log recognizes a repetition: the event is skipped if any of `match` was recorded in `scope` before; in either
 * case all of `record` are recorded, in the same transaction.
 */
export interface Dedupe {
  scope: string;
  match: string[];
  record: string[];
}

/** An event before it is logged, of the types in `Data`. `type` has no prefix here. */
export type EventOf<Data> = {
  [T in keyof Data & string]: {
    type: T;
    source: string;
    subject?: string;
    /** Default: the time of the commit. */
    time?: string;
    data: Data[T];
    dedupe?: Dedupe;
  };
}[keyof Data & string];
export type NewEvent = EventOf<EventData>;

/** An event of the log. `json` is the whole CloudEvent as served, integers above 2^53 exact. */
export interface StoredEvent {
  sequence: number;
  type: string;
  json: string;
}
