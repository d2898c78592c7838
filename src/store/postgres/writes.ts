// The writes of the store: every step is one conditional update, one event and one audit row, in one transaction.

import { coversOf } from "../../contract/audit-cover.ts";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { Observation } from "../../contract/store.ts";
import type { IdempotencyKey, WriteStore } from "../../contract/write-store.ts";
import { TRANSITIONS, type Write, type WriteQuery, type WriteSummary } from "../../contract/writes.ts";
import { canonicalRecord, digestOf } from "../../core/canonical-json.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { type DedupeKey, type PreparedObservation, prepareObservation } from "../prepared.ts";
import { bytesOf, lengthOf, proposalDetail, type Step } from "../steps.ts";
import { LAST_ID, LONGEST_READ, SHORT_FIELDS, type SummaryRow, toSummary } from "../summaries.ts";
import { takeLength } from "../take-length.ts";
import { toPatchRow, toRow, toWrite, type WriteRow } from "../write-rows.ts";
import { appendAudit, type Queries } from "./audit.ts";
import { createAuditStore } from "./audit-store.ts";
import type { Value } from "./connection.ts";
import { readCounts, type Transaction } from "./transaction.ts";
import type { ReadUnit, WriteUnit } from "./units.ts";
import {
  BY_KEY,
  CLAIM,
  CLAIM_PEOPLES,
  COUNT_ATTEMPT,
  INSERT,
  ONE,
  PROPOSED,
  REJECTED,
  SHOW,
  SIGN,
} from "./write-statements.ts";
import { approveNew, expire, move, record } from "./write-steps.ts";

export interface WriteStoreParts {
  now(): number;
  read: ReadUnit;
  /** In one snapshot of the database. */
  snapshot: ReadUnit;
  write: WriteUnit;
  /** Stores an observation, and returns its new events. */
  observe(transaction: Transaction, observation: PreparedObservation): Promise<StoredEvent[]>;
  /** Called once events are on disk. */
  appended(events: readonly StoredEvent[]): void;
}

// Small transactions, so that commits and readers get their turn in between.
const EXPIRED_AT_ONCE = 100;

const find = async (on: Queries, id: string): Promise<Write | undefined> =>
  orNothing((await on.query<WriteRow>(ONE, [id]))[0]);

const findByKey = async (
  on: Queries,
  { key, operation, agent }: IdempotencyKey,
): Promise<WriteRow | undefined> => (await on.query<WriteRow>(BY_KEY, [key, operation, agent ?? ""]))[0];

const orNothing = (row: WriteRow | undefined): Write | undefined => row && toWrite(row);

export const keysOf = (observations: readonly PreparedObservation[]): DedupeKey[] =>
  observations.flatMap(({ known, events }) => [
    ...known.flat(),
    ...events.flatMap(({ dedupe }) => dedupe ?? []),
  ]);

export const createWriteStore = ({
  now,
  read,
  snapshot,
  write,
  observe,
  appended,
}: WriteStoreParts): WriteStore => {
  const committed = (steps: readonly Step[]) =>
    appended(steps.flatMap(({ event, observed = [] }) => [event, ...observed]));

  return {
    proposeWrite: async (proposed, actor, options) => {
      const { rejectedSince, isRecent = () => true, most, approveBy, tokenHash = null } = options;
      if (proposed.state !== "proposed") throw new Error(`a write is proposed, not ${proposed.state}`);
      const unit = toRow(proposed, tokenHash);
      const bytes = bytesOf(unit);
      const at = unit.proposed_at;
      const outcome = await write(
        async (transaction) => {
          const { idempotency_key: key, operation, agent } = unit;
          const sameKey = key === null ? undefined : await findByKey(transaction, { key, operation, agent });
          if (sameKey && sameKey.digest !== unit.digest)
            return { kind: "idempotency_conflict" as const, write: toWrite(sameKey), steps: [] };
          if (sameKey) return { kind: "existing" as const, write: toWrite(sameKey), steps: [] };
          const rejected = await transaction.one<WriteRow>(REJECTED, [unit.digest, rejectedSince]);
          if (rejected && isRecent(rejected.decided_at ?? rejected.proposed_at))
            return { kind: "recently_rejected" as const, write: toWrite(rejected), steps: [] };
          const { open_writes, open_bytes } = transaction.head;
          if (most && (open_writes >= most.writes || open_bytes + bytes > most.bytes))
            return { kind: "too_many_open" as const, steps: [] };
          const row = await transaction.named<WriteRow, typeof unit>(INSERT, unit);
          if (!row) throw new Error(`write ${unit.id} is not there after it was inserted`);
          const entry = { at, actor, detail: proposalDetail(unit), set: unit, now: now() };
          const step = await record(transaction, null, row, entry);
          const approved =
            approveBy && (await approveNew(transaction, row, { actor: approveBy, at, now: now() }));
          const steps = approved ? [step, approved] : [step];
          return { kind: "created" as const, write: (approved ?? step).write, steps };
        },
        ({ steps }) => committed(steps),
      );
      return outcome.kind === "too_many_open"
        ? { kind: outcome.kind }
        : { kind: outcome.kind, write: outcome.write };
    },

    transitionWrite: async (transition) => {
      const { id, from, to, notExpiredAt = null, tokenHash = null, patch, actor, at, detail } = transition;
      const signedBefore = transition.signedBefore ? stringifyJson(transition.signedBefore) : null;
      if (!TRANSITIONS[from].includes(to)) throw new Error(`no write goes from ${from} to ${to}`);
      const set = toPatchRow(patch);
      const entry = { at, actor, detail: canonicalRecord(detail ?? null), set };
      const observations = (transition.observations ?? []).map((observation: Observation) =>
        prepareObservation(observation),
      );
      const step = await write(
        async (transaction) => {
          const row = await move(transaction, {
            ...set,
            id,
            from,
            to,
            notExpiredAt,
            tokenHash,
            signedBefore,
          });
          if (!row) return find(transaction, id);
          const done = await record(transaction, from, row, { ...entry, now: now() });
          const observed: StoredEvent[] = [];
          for (const observation of observations) observed.push(...(await observe(transaction, observation)));
          return { ...done, observed };
        },
        (result) => {
          if (result && "event" in result) committed([result]);
        },
        { keys: keysOf(observations) },
      );
      if (!step) return undefined;
      return "event" in step ? { kind: "done", write: step.write } : { kind: "refused", write: step };
    },

    signWrite: async ({ id, notExpiredAt, actor, at, ...signed }) => {
      const set = { signed_by: stringifyJson(signed.signedBy) };
      const unit = { ...set, id, notExpiredAt, signedBefore: stringifyJson(signed.signedBefore) };
      const detail = canonicalRecord(signed.detail ?? null);
      const step = await write(
        async (transaction) => {
          const row = await transaction.named<WriteRow, typeof unit>(SIGN, unit);
          if (!row) return find(transaction, id);
          return record(transaction, "proposed", row, { at, actor, detail, set, now: now() }, "signed");
        },
        (result) => {
          if (result && "event" in result) committed([result]);
        },
      );
      if (!step) return undefined;
      return "event" in step ? { kind: "done", write: step.write } : { kind: "refused", write: step };
    },

    claimNextWrite: async (actor, at, onlyPeoples = false) => {
      const step = await write(
        async (transaction) => {
          const row =
            (await transaction.one<WriteRow>(CLAIM_PEOPLES, [at])) ??
            (onlyPeoples ? undefined : await transaction.one<WriteRow>(CLAIM, [at]));
          if (!row) return undefined;
          const detail = canonicalRecord({ operation: row.operation, attempt: row.attempts });
          return record(transaction, "approved", row, {
            at,
            actor,
            detail,
            set: { executing_at: at },
            now: now(),
          });
        },
        (result) => result && committed([result]),
      );
      return step?.write;
    },

    countWriteAttempt: (id) =>
      write(async (transaction) => {
        if ((await transaction.run(COUNT_ATTEMPT, [id])) === 0)
          throw new Error(`write ${id} is not executing`);
      }),

    expireWrites: async (at, isOver = ({ expiresAt }) => expiresAt <= at) => {
      const expired: Write[] = [];
      for (let after = ""; ; ) {
        const { steps, last } = await write(
          async (transaction) => {
            type Open = Pick<WriteRow, "id" | "proposed_at" | "expires_at">;
            const open = await transaction.query<Open>(PROPOSED, [after, EXPIRED_AT_ONCE]);
            const over = open.filter((row) =>
              isOver({ proposedAt: row.proposed_at, expiresAt: row.expires_at }),
            );
            return {
              steps: await expire(transaction, over, { at, now: now() }),
              last: open.length < EXPIRED_AT_ONCE ? undefined : open.at(-1),
            };
          },
          (some) => committed(some.steps),
        );
        expired.push(...steps.map((step) => step.write));
        if (!last) return expired;
        after = last.id;
      }
    },

    markWriteShown: (id, actor, at) =>
      write(async (transaction) => {
        const row = await transaction.one<WriteRow>(SHOW, [at, id]);
        if (!row) return find(transaction, id);
        const shown = toWrite(row);
        const detail = canonicalRecord({ operation: row.operation, previewDigest: digestOf(row.preview) });
        const covers = coversOf({ shown_at: at }, undefined);
        await appendAudit(transaction, { at, action: "shown", write: shown, actor, detail, covers });
        return shown;
      }),

    isWriteIn: (id, state) =>
      read(
        async (on) =>
          (await on.query("SELECT 1 FROM writes WHERE state = $1 AND id = $2", [state, id])).length > 0,
      ),
    readWrite: (id) => read((on) => find(on, id)),
    readWriteByIdempotencyKey: (key) => read(async (on) => orNothing(await findByKey(on, key))),
    readWrites: (query) =>
      read(async (on) => {
        const rows = await on.query<WriteRow>(...pageOf(query, "*"));
        return takeLength(rows, query.maxLength, lengthOf).taken.map(toWrite);
      }),
    readWriteSummaries: (query) => read((on) => readSummaries(on, query)),
    countWrites: () =>
      read(async (on) => {
        const [row] = await on.query<{ writes: string }>("SELECT writes FROM head");
        return readCounts(row?.writes ?? "{}");
      }),
    countOpenWrites: () =>
      read(async (on) => {
        const [row] = await on.query<{ writes: number; bytes: number }>(
          "SELECT open_writes AS writes, open_bytes AS bytes FROM head",
        );
        return row ?? { writes: 0, bytes: 0 };
      }),

    ...createAuditStore({ read, snapshot, write }),
  };
};

const STORED = "octet_length(request) + octet_length(preview) + coalesce(octet_length(result), 0)";

/** Newest first, up to a total length; `maxLength` in characters is at least as far in bytes. */
function pageOf(
  { states, target, operation, after = LAST_ID, limit, maxLength = Number.MAX_SAFE_INTEGER }: WriteQuery,
  columns: string,
): [text: string, values: Value[]] {
  // UTF-8 takes at most three bytes per JavaScript character.
  const values: Value[] = [after, limit, Math.min(maxLength * 3, Number.MAX_SAFE_INTEGER)];
  const given = (value: Value) => `$${values.push(value)}`;
  const unique = states && [...new Set(states)];
  let ids = "SELECT id FROM writes WHERE id < $1 ORDER BY id DESC LIMIT $2";
  if (target !== undefined || operation !== undefined) {
    const conditions = ["id < $1"];
    if (target !== undefined) {
      const sought = given(target);
      conditions.push(`target = ${sought} AND hashtextextended(target, 0) = hashtextextended(${sought}, 0)`);
    }
    if (operation !== undefined) conditions.push(`operation = ${given(operation)}`);
    if (unique) conditions.push(`state = ANY(${given(unique)}::text[])`);
    ids = `SELECT id FROM writes WHERE ${conditions.join(" AND ")} ORDER BY id DESC LIMIT $2`;
  } else if (unique)
    ids = `SELECT i.id FROM unnest(${given(unique)}::text[]) AS s (state) CROSS JOIN LATERAL (
        SELECT id FROM writes WHERE state = s.state AND id < $1 ORDER BY id DESC LIMIT $2) i
      ORDER BY i.id DESC LIMIT $2`;
  const text = `SELECT ${columns} FROM writes WHERE id IN (
      SELECT id FROM (
        SELECT id, sum(${STORED}) OVER (ORDER BY id DESC) - (${STORED}) AS before
        FROM writes WHERE id IN (${ids})) p
      WHERE before < $3) ORDER BY id DESC`;
  return [text, values];
}

const SUMMARY_COLUMNS = `id, operation, service, state, digest, target, destructive, approval, reason, agent, proposed_at,
  expires_at, decided_at, executing_at, finished_at, note, outcome, body_removed_at,
  ${["request", "precondition", "result"]
    .map((column) => `CASE WHEN octet_length(${column}) <= ${LONGEST_READ} THEN ${column} END AS ${column}`)
    .join(", ")}, ${STORED} AS stored`;

async function readSummaries(on: Queries, query: WriteQuery): Promise<WriteSummary[]> {
  const { maxLength = Number.POSITIVE_INFINITY, ...page } = query;
  const rows = await on.query<SummaryRow>(...pageOf(page, SUMMARY_COLUMNS));
  return takeLength(rows, 1, ({ reason }) => ((reason?.length ?? 0) + SHORT_FIELDS) / maxLength).taken.map(
    toSummary,
  );
}
