// What goes into a commit, fixed as it is when it is handed over: the same for every database.

import { hash } from "node:crypto";
import { cloudEventJson, type EventRow } from "../contract/cloudevent.ts";
import { fullType } from "../contract/event-patterns.ts";
import type { Dedupe, NewEvent, StoredEvent } from "../contract/new-event.ts";
import { SEARCHABLE, type SearchTerms, searchTermsOf } from "../contract/searchable.ts";
import type { Observation } from "../contract/store.ts";
import { isoTime } from "../core/clock.ts";
import { stringifyJson } from "../core/exact-json.ts";

const DIGEST_BYTES = 16;

/** Of a key of deduplication, the first 16 bytes of its SHA-256: a fifth of the room, and keys outlive their events. */
export interface DedupeKey {
  digest: Buffer;
  /** Whether its presence makes the event a repetition. */
  match: boolean;
  /** Whether it is added if missing. */
  record: boolean;
}

/** Digests are evenly distributed, so each first byte is an equal part of the table. */
export const DEDUPE_PARTS = 16;

/** The digests of one part: from the first on, before the second. */
export const dedupePart = (part: number): [from: Buffer, before: Buffer] => {
  const step = 256 / DEDUPE_PARTS;
  // Longer than any digest of the last part.
  const end = Buffer.alloc(DIGEST_BYTES + 1, 0xff);
  return [Buffer.of(part * step), part + 1 < DEDUPE_PARTS ? Buffer.of((part + 1) * step) : end];
};

const dedupeKeys = ({ scope, match, record }: Dedupe): DedupeKey[] =>
  [...new Set([...match, ...record])].map((key) => ({
    digest: hash("sha256", JSON.stringify([scope, key]), "buffer").subarray(0, DIGEST_BYTES),
    match: match.includes(key),
    record: record.includes(key),
  }));

/** An event as it will be stored, without its sequence. */
export interface PreparedEvent {
  source: string;
  type: string;
  subject: string | null;
  time: string | undefined;
  data: string;
  /** Its index entry; undefined if the event is not searchable. */
  terms: SearchTerms | undefined;
  dedupe: DedupeKey[] | undefined;
}

/** Serializes the event as it is now; @throws TypeError for data that is not JSON. */
export const prepareEvent = (event: NewEvent): PreparedEvent => ({
  source: event.source,
  type: fullType(event.type),
  subject: event.subject ?? null,
  time: normalTime(event.time),
  data: stringifyJson(event.data),
  terms: event.type === SEARCHABLE ? searchTermsOf(event.data) : undefined,
  dedupe: event.dedupe && dedupeKeys(event.dedupe),
});

/** In one form, so that times compare as text; undefined if it is not a time. */
const normalTime = (time: string | undefined): string | undefined => {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? undefined : isoTime(ms);
};

export const toStoredEvent = (row: EventRow): StoredEvent => ({
  sequence: row.sequence,
  type: row.type,
  json: cloudEventJson(row),
});

export type PreparedObservation = ReturnType<typeof prepareObservation>;

/** As JSON text, so that later changes by the caller do not change what is stored. */
export const prepareObservation = (observation: Observation) => ({
  source: observation.source,
  cursor: observation.cursor === undefined ? undefined : stringifyJson(observation.cursor),
  events: (observation.events ?? []).map(prepareEvent),
  known: (observation.known ?? []).map(dedupeKeys),
  put: (observation.put ?? []).map(({ kind, key, value }) => ({ kind, key, value: stringifyJson(value) })),
  remove: observation.remove ?? [],
  secrets: observation.secrets ?? [],
});
