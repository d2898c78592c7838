// The writes of the store: every step is one conditional update, one event and one audit row, in one transaction.

import type { Database } from "better-sqlite3";
import { coversOf } from "../../contract/audit-cover.ts";
import type { StoredEvent } from "../../contract/new-event.ts";
import type { Observation } from "../../contract/store.ts";
import type { IdempotencyKey, WriteStore } from "../../contract/write-store.ts";
import { TRANSITIONS, type Write, type WriteQuery } from "../../contract/writes.ts";
import { canonicalRecord, digestOf } from "../../core/canonical-json.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { bytesOf, lengthOf, proposalDetail } from "../steps.ts";
import { LAST_ID } from "../summaries.ts";
import { takeLength } from "../take-length.ts";
import type { ReadUnit, WriteUnit } from "../units.ts";
import { toPatchRow, toRow, toWrite, type WriteRow } from "../write-rows.ts";
import { createAuditLog } from "./audit.ts";
import { createAuditStore } from "./audit-store.ts";
import type { EventLog } from "./events.ts";
import { prepareStatements } from "./write-statements.ts";
import { createSteps } from "./write-steps.ts";
import { createReadSummaries } from "./write-summaries.ts";

export interface WriteStoreParts {
  db: Database;
  log: EventLog;
  now(): number;
  read: ReadUnit;
  write: WriteUnit;
  /**
   * Prepares an observation and returns a function that commits it inside a transaction and returns its new events.
   */
  observing(observation: Observation): () => StoredEvent[];
}

// Small transactions, so that commits and readers get their turn in between.
const EXPIRED_AT_ONCE = 100;

export const createWriteStore = ({ db, log, now, read, write, observing }: WriteStoreParts): WriteStore => {
  const audit = createAuditLog(db);
  const statements = prepareStatements(db);
  const { record, approveNew, expire, committed, counts, openTotals } = createSteps({
    ...{ db, log, audit, statements, now },
  });

  const findByKey = ({ key, operation, agent }: { key: string | null } & Omit<IdempotencyKey, "key">) =>
    key === null ? undefined : statements.byKey.get(key, operation, agent ?? "");
  const find = (id: string): Write | undefined => orNothing(statements.one.get(id));
  function* rowsOf(ids: readonly string[]): Generator<WriteRow> {
    for (const id of ids) {
      const row = statements.one.get(id);
      if (row) yield row;
    }
  }

  /** Newest first. */
  const idsOf = ({ states, target, operation, after = LAST_ID, limit }: WriteQuery): string[] | undefined => {
    const narrowed = { operation: operation ?? null, states: states ? JSON.stringify(states) : null };
    if (target !== undefined) return statements.newestOnTarget.all({ ...narrowed, target, after, limit });
    if (operation !== undefined)
      return statements.newestByOperation.all({ ...narrowed, operation, after, limit });
    if (states === undefined) return undefined;
    return [...new Set(states)]
      .flatMap((state) => statements.newestOf.all(state, after, limit))
      .sort()
      .reverse()
      .slice(0, limit);
  };
  const readSummaries = createReadSummaries(db, idsOf);

  return {
    proposeWrite: async (proposed, actor, options) => {
      const { rejectedSince, isRecent = () => true, most, approveBy, tokenHash = null } = options;
      if (proposed.state !== "proposed") throw new Error(`a write is proposed, not ${proposed.state}`);
      const unit = toRow(proposed, tokenHash);
      const bytes = bytesOf(unit);
      const at = unit.proposed_at;
      const entry = { at, actor, detail: proposalDetail(unit), set: unit };
      const outcome = await write(
        () => {
          const sameKey = findByKey({
            key: unit.idempotency_key,
            operation: unit.operation,
            agent: unit.agent,
          });
          if (sameKey && sameKey.digest !== unit.digest)
            return { kind: "idempotency_conflict" as const, write: toWrite(sameKey), steps: [] };
          if (sameKey) return { kind: "existing" as const, write: toWrite(sameKey), steps: [] };
          const rejected = statements.rejected.get(unit.digest, rejectedSince);
          if (rejected && isRecent(rejected.decided_at ?? rejected.proposed_at))
            return { kind: "recently_rejected" as const, write: toWrite(rejected), steps: [] };
          // As it is in this transaction, which may hold other proposals.
          const open = openTotals.read();
          if (most && (open.writes >= most.writes || open.bytes + bytes > most.bytes))
            return { kind: "too_many_open" as const, steps: [] };
          const row = statements.insert.get(unit);
          if (!row) throw new Error(`write ${unit.id} is not there after it was inserted`);
          const step = record(null, row, entry);
          const approved = approveBy && approveNew(row, approveBy, at);
          const steps = approved ? [step, approved] : [step];
          return { kind: "created" as const, write: (approved ?? step).write, steps };
        },
        ({ steps }) => {
          if (steps.length > 0) committed(steps);
        },
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
      const unit = { ...set, id, from, to, notExpiredAt, tokenHash, signedBefore };
      const entry = { at, actor, detail: canonicalRecord(detail ?? null), set };
      const observations = (transition.observations ?? []).map(observing);
      const step = await write(
        () => {
          const row = statements.move.get(unit);
          if (!row) return find(id);
          return { ...record(from, row, entry), observed: observations.flatMap((observe) => observe()) };
        },
        (result) => {
          if (result && "event" in result) committed([result]);
        },
      );
      if (!step) return undefined;
      return "event" in step ? { kind: "done", write: step.write } : { kind: "refused", write: step };
    },

    signWrite: async ({ id, notExpiredAt, actor, at, ...signed }) => {
      const set = { signed_by: stringifyJson(signed.signedBy) };
      const unit = { ...set, id, notExpiredAt, signedBefore: stringifyJson(signed.signedBefore) };
      const detail = canonicalRecord(signed.detail ?? null);
      const step = await write(
        () => {
          const row = statements.sign.get(unit);
          return row ? record("proposed", row, { at, actor, detail, set }, "signed") : find(id);
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
        () => {
          const row = statements.claimPeoples.get(at) ?? (onlyPeoples ? undefined : statements.claim.get(at));
          if (!row) return undefined;
          const detail = canonicalRecord({ operation: row.operation, attempt: row.attempts });
          const set = { executing_at: at };
          return record("approved", row, { at, actor, detail, set });
        },
        (result) => result && committed([result]),
      );
      return step?.write;
    },

    countWriteAttempt: (id) =>
      write(() => {
        if (statements.countAttempt.run(id).changes === 0) throw new Error(`write ${id} is not executing`);
      }),

    expireWrites: async (at, isOver = ({ expiresAt }) => expiresAt <= at) => {
      const expired: Write[] = [];
      for (let after = ""; ; ) {
        const { steps, last } = await write(
          () => {
            const open = statements.proposed.all(after, EXPIRED_AT_ONCE);
            const over = open.filter((row) =>
              isOver({ proposedAt: row.proposed_at, expiresAt: row.expires_at }),
            );
            return { steps: expire(over, at), last: open.length < EXPIRED_AT_ONCE ? undefined : open.at(-1) };
          },
          (some) => committed(some.steps),
        );
        expired.push(...steps.map((step) => step.write));
        if (!last) return expired;
        after = last.id;
      }
    },

    markWriteShown: async (id, actor, at) => {
      const found = await write(
        () => {
          const row = statements.show.get(at, id);
          if (!row) return { write: find(id), entry: undefined };
          const shown = toWrite(row);
          const detail = canonicalRecord({ operation: row.operation, previewDigest: digestOf(row.preview) });
          const covers = coversOf({ shown_at: at }, undefined);
          return {
            write: shown,
            entry: audit.append({ at, action: "shown", write: shown, actor, detail, covers }),
          };
        },
        ({ entry }) => entry && audit.appended(entry),
      );
      return found.write;
    },

    isWriteIn: (id, state) => read(() => statements.isIn.get(state, id) !== undefined),
    readWrite: (id) => read(() => find(id)),
    readWriteByIdempotencyKey: (key) => read(() => orNothing(findByKey(key))),
    readWrites: (query) =>
      read(() => {
        const { after = LAST_ID, limit, maxLength } = query;
        const ids = idsOf(query);
        const rows = ids ? rowsOf(ids) : statements.newest.iterate(after, limit);
        return takeLength(rows, maxLength, lengthOf).taken.map(toWrite);
      }),
    readWriteSummaries: (query) => read(() => readSummaries(query)),
    countWrites: () => read(() => ({ ...counts })),
    countOpenWrites: () => read(openTotals.read),

    ...createAuditStore({ db, audit, rowOf: (id) => statements.one.get(id), counts, read, write }),
  };
};

const orNothing = (row: WriteRow | undefined): Write | undefined => row && toWrite(row);
