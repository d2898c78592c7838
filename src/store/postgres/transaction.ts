// One commit: collects what its units of work append and remember, and sends it at the end in one message.

import { decodeTime, type monotonicFactory } from "ulid";
import type { EventRow } from "../../contract/cloudevent.ts";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { SearchTerms } from "../../contract/searchable.ts";
import { WRITE_STATES, type WriteState } from "../../contract/writes.ts";
import { isoTime } from "../../core/clock.ts";
import { parseJson, stringifyJson } from "../../core/exact-json.ts";
import { type DedupeKey, type PreparedEvent, toStoredEvent } from "../prepared.ts";
import type { Connection, Value } from "./connection.ts";
import { insightRow } from "./insights.ts";
import type { NamedStatement } from "./named.ts";

const DAY_MS = 86_400_000;
const MOST_AHEAD_MS = 60_000;

export type WriteCounts = Record<WriteState, number>;

/** The row that every commit locks first. */
export interface Head {
  latest: number;
  oldest: number;
  audit_rows: number | null;
  audit_head: string | null;
  writes: WriteCounts;
  open_writes: number;
  open_bytes: number;
  /** The id of the newest event; null: there never was one. */
  last_id: string | null;
}

export const readCounts = (json: string): WriteCounts => {
  const stored = parseJson(json) as Partial<WriteCounts>; // as `endOf` wrote it
  // Every state is a key.
  return Object.fromEntries(WRITE_STATES.map((state) => [state, stored[state] ?? 0])) as WriteCounts;
};

export type HeadRow = Omit<Head, "writes"> & { writes: string };

export const HEAD_COLUMNS =
  "latest, oldest, audit_rows, audit_head, writes, open_writes, open_bytes, last_id";

export type NextId = ReturnType<typeof monotonicFactory>;

/** A looked-up deduplication key. */
interface Seen {
  /** The day it was stored under; undefined: it is not stored. */
  day: number | undefined;
  isNew: boolean;
}

/** A change of a row, sent at the end; null removes it. */
type Change = { value: string; at: string } | null;

type Cell = string | number | Buffer | null;

/** SQL for rows, and its values: arrays, but for the single row that most commits have. */
function rowsOf(types: readonly string[], rows: readonly Cell[][]): { text: string; values: Value[] } {
  const [only] = rows;
  if (only && rows.length === 1)
    return { text: `VALUES (${types.map((type, at) => `$${at + 1}::${type}`).join(", ")})`, values: only };
  return {
    text: `SELECT * FROM unnest(${types.map((type, at) => `$${at + 1}::${type}[]`).join(", ")})`,
    values: types.map((_, at) => rows.map((row) => row[at] ?? null)),
  };
}

export class Transaction {
  readonly head: Head;
  readonly #connection: Connection;
  readonly #nextId: NextId;
  readonly #knownTypes: Set<string>;
  #events: EventRow[] = [];
  #rows = new Map<number, EventRow>();
  #insights: { sequence: number; time: string; terms: SearchTerms; size: number }[] = [];
  #seen = new Map<string, Seen>();
  #cursors = new Map<string, { value: string; at: string }>();
  #records = new Map<string, { kind: string; key: string; change: Change }>();

  constructor(connection: Connection, row: HeadRow, nextId: NextId, knownTypes: Set<string>) {
    this.head = { ...row, writes: readCounts(row.writes) };
    this.#connection = connection;
    this.#nextId = nextId;
    this.#knownTypes = knownTypes;
  }

  query<Row extends object>(text: string, values: readonly Value[] = []): Promise<Row[]> {
    return this.#connection.query<Row>(text, values);
  }

  async one<Row extends object>(text: string, values: readonly Value[] = []): Promise<Row | undefined> {
    return (await this.query<Row>(text, values))[0];
  }

  /** The row that a statement returns; undefined if its condition did not hold. */
  async named<Row extends object, Given extends object>(
    statement: NamedStatement<Given>,
    given: Given,
  ): Promise<Row | undefined> {
    return this.one<Row>(statement.text, statement.values(given));
  }

  /** How many rows it changed. */
  async run(text: string, values: readonly Value[] = []): Promise<number> {
    return (await this.#connection.run(text, values)).rowCount ?? 0;
  }

  /** Looks up in one query the keys that `append` and `remember` will need. */
  async look(keys: readonly DedupeKey[]): Promise<void> {
    const missing = new Map<string, Buffer>();
    for (const { digest } of keys) {
      const name = digest.toString("hex");
      if (!this.#seen.has(name)) missing.set(name, digest);
    }
    if (missing.size === 0) return;
    for (const name of missing.keys()) this.#seen.set(name, { day: undefined, isNew: false });
    const found = await this.query<{ digest: Buffer; seen_day: number }>(
      "SELECT digest, seen_day FROM dedupe WHERE digest = ANY($1::bytea[])",
      [[...missing.values()]],
    );
    for (const { digest, seen_day } of found)
      this.#seen.set(digest.toString("hex"), { day: seen_day, isNew: false });
  }

  /** Records keys that `look` has looked up. @returns whether one that counts was known before */
  remember(keys: readonly DedupeKey[], now: number): boolean {
    const today = Math.floor(now / DAY_MS);
    let isRepeated = false;
    for (const { digest, match, record } of keys) {
      const name = digest.toString("hex");
      const seen = this.#seen.get(name);
      if (!seen) throw new Error("a key of deduplication was not looked up");
      if (seen.day === undefined) {
        if (record) this.#seen.set(name, { day: today, isNew: true });
        continue;
      }
      // By day, so that an item that a service repeats on every connection is written at most once a day.
      if (seen.day < today) {
        this.#seen.set(name, { day: today, isNew: seen.isNew });
        if (!seen.isNew) this.#refreshed.set(name, today);
      }
      isRepeated ||= match;
    }
    return isRepeated;
  }
  #refreshed = new Map<string, number>();

  /** @returns undefined for a repetition; its keys must be looked up */
  append(event: PreparedEvent, now: number): StoredEvent | undefined {
    if (event.dedupe && this.remember(event.dedupe, now)) return undefined;
    const id = this.#newId(now);
    const { source, type, subject, data } = event;
    const time = event.time ?? isoTime(now);
    this.head.latest += 1;
    this.head.last_id = id;
    const row = { sequence: this.head.latest, id, source, type, subject, time, data };
    this.#events.push(row);
    this.#rows.set(row.sequence, row);
    if (event.terms)
      this.#insights.push({ sequence: row.sequence, time, terms: event.terms, size: data.length });
    return toStoredEvent(row);
  }

  /**
   * Behind the newest one, also where another node with a clock that is ahead made that. Not where it is far ahead: one
   * wrong clock must not set the time for all.
   */
  #newId(now: number): string {
    // ulid takes 0 for "now" by the system's clock.
    const at = Math.max(1, Math.floor(now));
    const { last_id: last } = this.head;
    const id = this.#nextId(at);
    if (last === null || id > last) return id;
    const behind = decodeTime(last) + 1;
    return behind - at <= MOST_AHEAD_MS ? this.#nextId(behind) : id;
  }

  /** An event that this transaction appended. */
  row(sequence: number): EventRow | undefined {
    return this.#rows.get(sequence);
  }

  putCursor(source: string, value: string, at: string): void {
    this.#cursors.set(source, { value, at });
  }

  putRecord(kind: string, key: string, change: Change): void {
    this.#records.set(`${kind}\n${key}`, { kind, key, change });
  }

  /** Sends what was collected, without waiting. The promises must be awaited together, in order. */
  flush(): Promise<unknown>[] {
    const sent: Promise<unknown>[] = [];
    const send = (text: string, values: Value[]) => void sent.push(this.#connection.run(text, values));
    const events = this.#events;
    if (events.length > 0) {
      const types = new Set(events.map(({ type }) => type).filter((type) => !this.#knownTypes.has(type)));
      if (types.size > 0)
        send("INSERT INTO event_types SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", [[...types]]);
      const rows = rowsOf(
        ["bigint", "text", "text", "text", "text", "text", "text", "int"],
        events.map(({ sequence, id, source, type, subject, time, data }) => [
          ...[sequence, id, source, type, subject, time, data, data.length],
        ]),
      );
      send(
        `INSERT INTO events (sequence, id, source, type, subject, time, data, size) ${rows.text}`,
        rows.values,
      );
      this.#events = [];
    }
    for (const insight of this.#insights.splice(0)) {
      const { text, values } = insightRow(insight);
      send(text, values);
    }
    const added = [...this.#seen].filter(([, { isNew }]) => isNew);
    if (added.length > 0) {
      send("INSERT INTO dedupe (digest, seen_day) SELECT * FROM unnest($1::bytea[], $2::int[])", [
        added.map(([name]) => Buffer.from(name, "hex")),
        added.map(([, { day }]) => day ?? 0),
      ]);
      for (const [, seen] of added) seen.isNew = false;
    }
    if (this.#refreshed.size > 0) {
      send(
        `UPDATE dedupe d SET seen_day = n.day FROM unnest($1::bytea[], $2::int[]) AS n (digest, day)
         WHERE d.digest = n.digest AND d.seen_day < n.day`,
        [[...this.#refreshed.keys()].map((name) => Buffer.from(name, "hex")), [...this.#refreshed.values()]],
      );
      this.#refreshed.clear();
    }
    if (this.#cursors.size > 0) {
      const rows = rowsOf(
        ["text", "text", "text"],
        [...this.#cursors].map(([source, { value, at }]) => [source, value, at]),
      );
      send(
        `INSERT INTO cursors (source, value, updated_at) ${rows.text}
         ON CONFLICT (source) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at
         WHERE cursors.value <> excluded.value`,
        rows.values,
      );
      this.#cursors.clear();
    }
    const records = [...this.#records.values()];
    this.#records.clear();
    const removed = records.filter(({ change }) => change === null);
    if (removed.length > 0)
      send(
        `WITH gone AS (
           DELETE FROM records r USING unnest($1::text[], $2::text[]) AS n (kind, key)
           WHERE r.kind = n.kind AND r.key = n.key RETURNING r.kind, r.key)
         INSERT INTO removed_records (kind, key) SELECT kind, key FROM gone
         ON CONFLICT (kind, key) DO UPDATE SET change = excluded.change, writer = excluded.writer,
           removed_at = excluded.removed_at`,
        [removed.map(({ kind }) => kind), removed.map(({ key }) => key)],
      );
    const put = records.flatMap(({ kind, key, change }) => (change ? [{ kind, key, ...change }] : []));
    if (put.length > 0)
      send(
        `INSERT INTO records (kind, key, value, updated_at)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
         ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at,
           change = excluded.change, writer = excluded.writer
         WHERE records.value <> excluded.value`,
        [
          put.map(({ kind }) => kind),
          put.map(({ key }) => key),
          put.map(({ value }) => value),
          put.map(({ at }) => at),
        ],
      );
    return sent;
  }

  /** The types of the events that it appended. */
  types(): Set<string> {
    return new Set([...this.#rows.values()].map(({ type }) => type));
  }

  /** What is sent last: the current head, and the token that identifies the commit. */
  end(incarnation: number, token: string): [text: string, values: Value[]][] {
    const { latest, oldest, audit_rows, audit_head, writes, open_writes, open_bytes, last_id } = this.head;
    return [
      [
        `UPDATE head SET latest = $1, oldest = $2, audit_rows = $3, audit_head = $4, writes = $5, open_writes = $6,
           open_bytes = $7, last_id = $8`,
        [latest, oldest, audit_rows, audit_head, stringifyJson(writes), open_writes, open_bytes, last_id],
      ],
      ["UPDATE commits SET token = $2 WHERE incarnation = $1", [incarnation, token]],
    ];
  }
}
