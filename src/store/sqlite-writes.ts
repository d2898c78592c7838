// The writes of the store: every step is one conditional update, one event and one audit row, in one transaction.

import type { Database } from "better-sqlite3";
import { type Columns, coversOf, eventDigest, withoutNulls } from "../contract/audit-cover.ts";
import type { StoredEvent } from "../contract/new-event.ts";
import type { IdempotencyKey, Observation, Store } from "../contract/store.ts";
import {
  type Actor,
  type AuditRow,
  TRANSITIONS,
  WRITE_STATES,
  type Write,
  type WriteState,
} from "../contract/writes.ts";
import { canonicalRecord, digestOf } from "../core/canonical-json.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { createAuditLog } from "./sqlite-audit.ts";
import { createAuditPruning } from "./sqlite-audit-prune.ts";
import { createVerify } from "./sqlite-audit-verify.ts";
import { type EventLog, prepareEvent } from "./sqlite-events.ts";
import { createBodyRemoval } from "./sqlite-write-bodies.ts";
import { type NewRow, toPatchRow, toRow, toWrite, type WriteRow } from "./sqlite-write-rows.ts";
import { createOpenTotals, OPEN_STATES, prepareStatements } from "./sqlite-write-statements.ts";
import { createReadSummaries, LAST_ID } from "./sqlite-write-summaries.ts";
import { takeLength } from "./take-length.ts";

export type WriteStore = Pick<
  Store,
  | "proposeWrite"
  | "transitionWrite"
  | "claimNextWrite"
  | "countWriteAttempt"
  | "isWriteIn"
  | "readWrite"
  | "readWriteByIdempotencyKey"
  | "readWrites"
  | "readWriteSummaries"
  | "countWrites"
  | "countOpenWrites"
  | "expireWrites"
  | "removeBodies"
  | "markWriteShown"
  | "readAudit"
  | "verifyAudit"
  | "whyNotApproved"
  | "signOffAudit"
  | "pruneAudit"
>;

export interface WriteStoreParts {
  db: Database;
  log: EventLog;
  now(): number;
  /** Runs a query, or rejects with a StoreError. */
  read<T>(query: () => T): Promise<T>;
  /** Runs `work` in a transaction, maybe twice; `committed` sees its result once it is on disk. */
  write<T>(work: () => T, committed?: (result: T) => void): Promise<T>;
  /** Prepares an observation; what it gives commits it inside a transaction, and says which of its events were new. */
  observing(observation: Observation): () => StoredEvent[];
}

// Small transactions, so that commits and readers get their turn in between.
const EXPIRED_AT_ONCE = 100;

const NEXUSD: Actor = { via: "nexusd", user: null };

/** What one step left: the write after it, the state before it, and its event. */
interface Step {
  write: Write;
  from: WriteState | null;
  event: StoredEvent;
  audit: AuditRow;
  /** The events that were committed with it. */
  observed?: StoredEvent[];
}

export const createWriteStore = ({ db, log, now, read, write, observing }: WriteStoreParts): WriteStore => {
  const audit = createAuditLog(db);
  const pruning = createAuditPruning(db, audit);
  const verify = createVerify(db, audit);
  const removal = createBodyRemoval(db, audit);
  const statements = prepareStatements(db);
  const counts = readCounts(db);
  const openTotals = createOpenTotals(db);

  const findByKey = ({ key, operation, agent }: { key: string | null } & Omit<IdempotencyKey, "key">) =>
    key === null ? undefined : statements.byKey.get(key, operation, agent ?? "");
  const find = (id: string): Write | undefined => orNothing(statements.one.get(id));
  function* rowsOf(ids: readonly string[]): Generator<WriteRow> {
    for (const id of ids) {
      const row = statements.one.get(id);
      if (row) yield row;
    }
  }

  /** The newest first. */
  const idsOf: Parameters<typeof createReadSummaries>[1] = ({ states, after = LAST_ID, limit }) =>
    [...new Set(states)]
      .flatMap((state) => statements.newestOf.all(state, after, limit))
      .sort()
      .reverse()
      .slice(0, limit);
  const readSummaries = createReadSummaries(db, idsOf);

  /** Appends what belongs to every step, inside its transaction. @param set what the step changed in the row */
  const recordStep = (
    from: WriteState | null,
    row: WriteRow,
    { at, actor, detail, set }: { at: string; actor: Actor; detail: string; set: Columns },
  ): Step => {
    const after = toWrite(row);
    const { state, operation, id, digest, agent, reason, note, result } = after;
    const event = log.append(
      prepareEvent({
        type: `write.${state}`,
        source: `/writes/${id}`,
        subject: operation,
        time: at,
        data: { writeId: id, operation, state, digest, agent, reason, note, error: result?.error ?? null },
      }),
      now(),
    );
    if (!event) throw new Error("the event of a step of a write was taken for a repetition");
    // Requests are counted while it is executed: how many there were is known with the result.
    const attempts = from === "executing" ? { attempts: row.attempts } : {};
    const stored = log.row(event.sequence);
    const told = stored && { sequence: event.sequence, digest: eventDigest(stored) };
    const covers = coversOf(withoutNulls({ ...set, ...attempts }), told);
    const entry = audit.append({ at, action: state, write: after, actor, detail, covers });
    const opened = (isOpen(state) ? 1 : 0) - (from !== null && isOpen(from) ? 1 : 0);
    if (opened !== 0) openTotals.add({ writes: opened, bytes: opened * bytesOf(row) });
    return { write: after, from, event, audit: entry };
  };

  /** The approval of a write in the transaction that proposes it. */
  const approveNew = (row: WriteRow, actor: Actor, at: string): Step | undefined => {
    const set = toPatchRow({ decidedAt: at, decidedBy: actor });
    const where = {
      id: row.id,
      from: "proposed",
      to: "approved",
      notExpiredAt: null,
      tokenHash: null,
    } as const;
    const approved = statements.move.get({ ...set, ...where });
    const detail = canonicalRecord({ operation: row.operation });
    return approved && recordStep("proposed", approved, { at, actor, detail, set });
  };

  /** Once steps are on disk. */
  const committed = (steps: readonly Step[]): void => {
    log.appended(steps.flatMap(({ event, observed = [] }) => [event, ...observed]));
    for (const { write, from, audit: entry } of steps) {
      audit.appended(entry);
      counts[write.state]++;
      if (from !== null) counts[from]--;
    }
  };

  const expire = (due: readonly { id: string }[], at: string): Step[] =>
    due.flatMap(({ id }) => {
      const set = toPatchRow({ finishedAt: at });
      const where = { id, from: "proposed", to: "expired", notExpiredAt: null, tokenHash: null } as const;
      const row = statements.move.get({ ...set, ...where });
      if (!row) return [];
      const detail = canonicalRecord({ operation: row.operation, expiresAt: row.expires_at });
      return recordStep("proposed", row, { at, actor: NEXUSD, detail, set });
    });

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
          const step = recordStep(null, row, entry);
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
      if (!TRANSITIONS[from].includes(to)) throw new Error(`no write goes from ${from} to ${to}`);
      const set = toPatchRow(patch);
      const unit = { ...set, id, from, to, notExpiredAt, tokenHash };
      const entry = { at, actor, detail: canonicalRecord(detail ?? null), set };
      const observations = (transition.observations ?? []).map(observing);
      const step = await write(
        () => {
          const row = statements.move.get(unit);
          if (!row) return find(id);
          return { ...recordStep(from, row, entry), observed: observations.flatMap((observe) => observe()) };
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
          return recordStep("approved", row, { at, actor, detail, set });
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

    removeBodies: async (before, at) => {
      let removed = 0;
      for (let more = true; more; ) {
        const chunk = await write(
          () => removal(before, at),
          ({ rows }) => rows.forEach(audit.appended),
        );
        removed += chunk.rows.length;
        more = chunk.more;
      }
      return { removed };
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
    readWrites: ({ states, after = LAST_ID, limit, maxLength }) =>
      read(() => {
        if (states === undefined)
          return takeLength(statements.newest.iterate(after, limit), maxLength, lengthOf).taken.map(toWrite);
        return takeLength(rowsOf(idsOf({ states, after, limit })), maxLength, lengthOf).taken.map(toWrite);
      }),
    readWriteSummaries: (query) => read(() => readSummaries(query)),
    countWrites: () => read(() => ({ ...counts })),
    countOpenWrites: () => read(openTotals.read),

    readAudit: (query) => read(() => audit.read(query)),
    verifyAudit: (head) => verify(head, read),
    whyNotApproved: (id, claimed) =>
      read(() => {
        const row = statements.one.get(id);
        if (!row) return "it is not there any more";
        // Changed for the moment in which it was claimed, it would be another one that the audit log is asked about.
        if (claimed && lasting(toWrite(row)) !== lasting(claimed)) return "it changed since it was claimed";
        return audit.whyNotApproved(row);
      }),
    signOffAudit: (...signed) =>
      write(
        () => pruning.signOff(...signed),
        (result) => {
          if (result?.kind === "signed") audit.appended(result.row);
        },
      ),
    pruneAudit: async (before, at) => {
      const removed = { rows: 0, writes: 0 };
      for (let more = true; more; ) {
        const chunk = await write(
          () => pruning.prune(before, at),
          ({ writes, row }) => {
            if (row) audit.appended(row);
            for (const state of writes) counts[state]--;
          },
        );
        removed.rows += chunk.rows;
        removed.writes += chunk.writes.length;
        more = chunk.more;
      }
      return removed;
    },
  };
};

/** Of what may be long of it, as it is shown. */
const lengthOf = ({ request, preview, result }: WriteRow): number =>
  request.length + preview.length + (result?.length ?? 0);

const bytesOf = ({ request, preview }: Pick<WriteRow, "request" | "preview">): number =>
  Buffer.byteLength(request) + Buffer.byteLength(preview);

/** What stays as it is while a write is executed. */
const lasting = ({ attempts: _, shownAt: __, ...rest }: Write): string => stringifyJson(rest);

const isOpen = (state: WriteState): boolean => OPEN_STATES.some((open) => open === state);

const orNothing = (row: WriteRow | undefined): Write | undefined => row && toWrite(row);

const proposalDetail = (row: NewRow): string =>
  canonicalRecord({
    operation: row.operation,
    target: row.target,
    approval: row.approval,
    reason: row.reason,
    agent: row.agent,
    idempotencyKey: row.idempotency_key,
    expiresAt: row.expires_at,
    // So that a preview that was changed later can be told from the one that was proposed.
    previewDigest: digestOf(row.preview),
  });

/** Read once: afterwards they are counted along. */
const readCounts = (db: Database): Record<WriteState, number> => {
  // Every state is a key.
  const counts = Object.fromEntries(WRITE_STATES.map((state) => [state, 0])) as Record<WriteState, number>;
  const rows = db.prepare<[], { state: WriteState; writes: number }>(
    "SELECT state, count(*) AS writes FROM writes GROUP BY state",
  );
  for (const { state, writes } of rows.all()) counts[state] = writes;
  return counts;
};
