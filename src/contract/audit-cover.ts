// What an audit row covers of its write besides the step itself: the columns that the step set, and its event.
// Replaying all rows of a write yields the row that must be in the table of writes.

import { z } from "zod";
import { canonicalRecord, digestOf } from "../core/canonical-json.ts";
import { parseJson } from "../core/exact-json.ts";
import { AUDIT_MARKS, type AuditRow, TRANSITIONS, WRITE_MARKS, type WriteState } from "./writes.ts";

/** The value of a column: itself if it is short, else its hash. */
export type Covered = string | number | null;

/** Columns of a write, by their names. */
export type Columns = Readonly<Record<string, Covered | undefined>>;

// A time, a state or a name stays readable; the body of a request would otherwise be stored twice.
const SHORT = 64;

const coverOf = (value: Covered): Covered =>
  typeof value === "string" && value.length > SHORT ? `sha256:${digestOf(value)}` : value;

/** These change without a step, or are covered by the row itself. */
const NOT_COVERED: ReadonlySet<string> = new Set(["state", "digest", "approval_order"]);

/** What identifies an event, and all its content. */
export interface CoveredEvent {
  sequence: number;
  digest: string;
}

export const eventDigest = (event: {
  id: string;
  source: string;
  type: string;
  subject: string | null;
  time: string;
  data: string;
}): string =>
  digestOf(JSON.stringify([event.id, event.source, event.type, event.subject, event.time, event.data]));

/** `covers` of a row. @param set the columns that its step set, with their new values; undefined ones are skipped */
export const coversOf = (set: Columns, event: CoveredEvent | undefined): string =>
  canonicalRecord({
    set: Object.fromEntries(
      Object.entries(set).flatMap(([name, value]) =>
        value === undefined || NOT_COVERED.has(name) ? [] : [[name, coverOf(value)]],
      ),
    ),
    event,
  });

/** The columns that a patch or a proposal sets: null means unchanged. */
export const withoutNulls = (columns: Columns): Columns =>
  Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== null));

const coversSchema = z.object({
  set: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  event: z.object({ sequence: z.number(), digest: z.string() }).optional(),
});

/** undefined: the row covers nothing. */
export const readCovers = ({ covers }: AuditRow): z.output<typeof coversSchema> | undefined => {
  if (covers === undefined) return undefined;
  try {
    return coversSchema.parse(parseJson(covers));
  } catch {
    return undefined;
  }
};

const BESIDE: ReadonlySet<string> = new Set([...WRITE_MARKS, ...AUDIT_MARKS]);

const isStep = (action: AuditRow["action"]): action is WriteState => !BESIDE.has(action);

/** A row of the table of writes; other columns are accessed by name. */
export interface StoredColumns {
  state: WriteState;
  request: string;
  digest: string;
  approval_order: number | null;
}

/**
 * Where a write differs from its audit rows; empty: nowhere. In words, without values.
 * @param rows all existing ones, in order; those before the first may have been removed with a checkpoint
 */
export function differences(write: StoredColumns, rows: readonly AuditRow[]): string[] {
  const found: string[] = [];
  const columns = new Map<string, Covered>(Object.entries(write));
  const expected = new Map<string, Covered>();
  let state: WriteState | undefined;
  let order: number | undefined;
  let isRemoved = false;
  for (const row of rows) {
    if (row.digest !== write.digest) return ["the digest"];
    const covers = readCovers(row);
    if (isStep(row.action)) {
      if (state !== undefined && !TRANSITIONS[state].includes(row.action))
        found.push(`its step from ${state} to ${row.action} (row ${row.sequence}), which nexusd never makes`);
      // From here on every column is known: what was not set is empty.
      if (row.action === "proposed" && covers) for (const name of columns.keys()) expected.set(name, null);
      if (row.action === "approved") order = row.sequence;
      state = row.action;
    }
    if (row.action === "body_removed") {
      if (state !== undefined && (state === "unknown" || TRANSITIONS[state].length > 0))
        found.push(`its body, removed while it was ${state} (row ${row.sequence})`);
      isRemoved = true;
    }
    for (const [name, value] of Object.entries(covers?.set ?? {})) expected.set(name, value);
  }
  if (state === undefined) return ["the whole write, which the audit log does not know"];
  if (write.state !== state) found.push(`the state (${write.state} instead of ${state})`);
  if (order !== undefined && write.approval_order !== order) found.push("the order of its approval");
  // While the body exists, the digest proves it, whatever a row may say.
  if (!isRemoved) {
    expected.delete("request");
    if (digestOf(write.request) !== write.digest) found.push("the request");
  }
  // Requests are counted during execution, and recorded with the result.
  if (state === "executing") expected.delete("attempts");
  for (const [name, value] of expected)
    if (!NOT_COVERED.has(name) && columns.has(name) && coverOf(columns.get(name) ?? null) !== value)
      found.push(`the ${name.replaceAll("_", " ")}`);
  return [...new Set(found)];
}

/** Why these rows forbid executing the write; undefined: their last decision is its approval. */
export function notApproved(write: StoredColumns, rows: readonly AuditRow[]): string | undefined {
  const changed = differences(write, rows);
  if (changed.length > 0) return `not as the audit log says: ${changed.join(", ")}`;
  // `differences` has checked that each step follows from the previous one.
  return rows.some(({ action }) => action === "approved") ? undefined : "the audit log has no approval of it";
}
