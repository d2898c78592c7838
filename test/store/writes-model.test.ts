import { expect, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { TRANSITIONS, WRITE_STATES, type Write, type WriteState } from "../../src/contract/writes.ts";
import { runs } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { openStore } from "../support/open-store.ts";
import { settableClock, temporaryDirectory } from "../support/store.ts";
import { AGENT, NEXUSD, OPERATOR, proposedWrite, T0, t } from "../support/stored-write.ts";

// Times are seconds; few requests, keys, targets and writes, so that they meet.
type Call =
  | {
      do: "propose";
      input: number;
      key: string | null;
      target: string;
      expires: number;
      rejectedSince: number;
    }
  | {
      do: "move";
      which: number;
      from: WriteState;
      to: WriteState;
      at: number;
      isBounded: boolean;
      isBroken: boolean;
    }
  | { do: "claim" | "expire"; at: number }
  | { do: "bodies"; before: number; at: number }
  | { do: "show" | "count"; which: number; at: number };
type Step = { do: "restart" } | { do: "turn"; calls: Call[] };

const second = fc.integer({ min: 0, max: 20 });
const which = fc.nat({ max: 9 });
const moves = WRITE_STATES.flatMap((from) => TRANSITIONS[from].map((to) => ({ from, to })));

const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("propose" as const),
      input: fc.nat({ max: 2 }),
      key: fc.constantFrom(null, null, "k1", "k2"),
      target: fc.constantFrom("a", "b"),
      expires: second,
      rejectedSince: second,
    }),
  },
  {
    weight: 8,
    arbitrary: fc
      .record({
        do: fc.constant("move" as const),
        which,
        move: fc.constantFrom(...moves),
        at: second,
        isBounded: fc.boolean(),
        isBroken: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      })
      .map(({ move, ...rest }) => ({ ...rest, ...move })),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("claim" as const), at: second }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const), at: second }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("bodies" as const), before: second, at: second }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("show" as const, "count" as const), which, at: second }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ do: "restart" as const }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("turn" as const), calls: fc.array(call, { maxLength: 6 }) }),
  },
);

interface Known {
  write: Write;
  /** When it was approved, among all approvals. */
  approved: number;
}

/** The writes as a list that anyone can understand, and what each call says. */
const createModel = () => {
  const known: Known[] = [];
  /** Every step of every write, in order. */
  const steps: { id: string; state: WriteState }[] = [];
  let shown = 0;
  let removed = 0;
  let approvals = 0;

  const move = (entry: Known, patch: Partial<Write> & { state: WriteState }) => {
    entry.write = { ...entry.write, ...patch };
    if (patch.state === "approved") entry.approved = ++approvals;
    steps.push({ id: entry.write.id, state: patch.state });
    return entry.write;
  };
  const inState = (state: WriteState) => known.filter(({ write }) => write.state === state);

  return {
    known,
    steps,
    shown: () => shown,
    removed: () => removed,
    propose: (write: Write, rejectedSince: string) => {
      const same = known.find(
        (entry) => write.idempotencyKey !== null && entry.write.idempotencyKey === write.idempotencyKey,
      );
      if (same)
        return {
          kind: same.write.digest === write.digest ? "existing" : "idempotency_conflict",
          write: same.write,
        };
      const rejected = inState("rejected")
        .filter((entry) => entry.write.digest === write.digest)
        .filter((entry) => (entry.write.decidedAt ?? "") > rejectedSince);
      if (rejected.length > 0)
        return { kind: "recently_rejected", writes: rejected.map((entry) => entry.write) };
      known.push({ write, approved: 0 });
      steps.push({ id: write.id, state: "proposed" });
      return { kind: "created", write };
    },
    move: (
      id: string,
      from: WriteState,
      patch: Partial<Write> & { state: WriteState },
      notExpiredAt?: string,
    ) => {
      const entry = known.find(({ write }) => write.id === id);
      if (!entry) return undefined;
      const { state, expiresAt } = entry.write;
      if (state !== from || (notExpiredAt !== undefined && expiresAt <= notExpiredAt))
        return { kind: "refused", write: entry.write };
      return { kind: "done", write: move(entry, patch) };
    },
    claim: (at: string) => {
      const busy = new Set(inState("executing").map(({ write }) => write.target));
      const [next] = inState("approved")
        .filter(({ write }) => !busy.has(write.target))
        .sort((a, b) => a.approved - b.approved);
      return next && move(next, { state: "executing", executingAt: at, attempts: next.write.attempts + 1 });
    },
    expire: (at: string) =>
      inState("proposed")
        .filter(({ write }) => write.expiresAt <= at)
        .sort((a, b) => (a.write.id < b.write.id ? -1 : 1))
        .map((entry) => move(entry, { state: "expired", finishedAt: at })),
    removeBodies: (before: string, at: string) => {
      const due = known.filter(
        ({ write }) =>
          write.state !== "unknown" &&
          TRANSITIONS[write.state].length === 0 &&
          write.bodyRemovedAt === null &&
          (write.finishedAt ?? write.decidedAt ?? write.proposedAt) < before,
      );
      for (const entry of due)
        entry.write = {
          ...entry.write,
          ...{ request: "", precondition: null, result: null, bodyRemovedAt: at },
          preview: { method: "REMOVED", url: "", headers: [], body: null },
        };
      removed += due.length;
      return { removed: due.length };
    },
    show: (id: string, at: string) => {
      const entry = known.find(({ write }) => write.id === id);
      if (entry && entry.write.shownAt === null) {
        shown++;
        entry.write = { ...entry.write, shownAt: at };
      }
      return entry?.write;
    },
    count: (id: string) => {
      const entry = inState("executing").find(({ write }) => write.id === id);
      if (!entry) return false;
      entry.write = { ...entry.write, attempts: entry.write.attempts + 1 };
      return true;
    },
  };
};

/** Calls the store, and returns what has to be so once all calls of the turn are made. */
const make = (current: Call, store: Store, model: ReturnType<typeof createModel>): (() => Promise<void>) => {
  const at = t("at" in current ? current.at : 0);
  const id = "which" in current ? (model.known[current.which]?.write.id ?? "unknown") : "";
  switch (current.do) {
    case "propose": {
      const { input, key: idempotencyKey, target, expires, rejectedSince } = current;
      const write = proposedWrite({ input, idempotencyKey, target, expiresAt: t(expires) });
      const result = store.proposeWrite(write, AGENT, { rejectedSince: t(rejectedSince) });
      const { kind, writes, ...expected } = { writes: undefined, ...model.propose(write, t(rejectedSince)) };
      return async () => {
        const got = await result;
        if (writes)
          expect([got.kind, writes]).toEqual([kind, expect.arrayContaining(["write" in got && got.write])]);
        else expect(got).toEqual({ kind, ...expected });
      };
    }
    case "move": {
      const { from, to, isBounded, isBroken } = current;
      const patch = { decidedAt: at, note: `${from} to ${to}` };
      const bound = isBounded ? { notExpiredAt: at } : {};
      // An actor without a socket is refused by the database, after the write itself was changed.
      const actor = isBroken ? JSON.parse("{}") : OPERATOR;
      const result = store.transitionWrite({ id, from, to, ...bound, patch, actor, at, detail: {} });
      if (isBroken) {
        const isReached = model.known.some(
          ({ write }) => write.id === id && write.state === from && (!isBounded || write.expiresAt > at),
        );
        const settled = result.then(
          () => "resolved",
          () => "rejected",
        );
        return async () => expect(await settled).toBe(isReached ? "rejected" : "resolved");
      }
      const expected = model.move(id, from, { ...patch, state: to }, bound.notExpiredAt);
      return async () => expect(await result).toEqual(expected);
    }
    case "claim": {
      const result = store.claimNextWrite(NEXUSD, at);
      const expected = model.claim(at);
      return async () => expect(await result).toEqual(expected);
    }
    case "expire": {
      const result = store.expireWrites(at);
      const expected = model.expire(at);
      return async () => expect(await result).toEqual(expected);
    }
    case "bodies": {
      const before = t(current.before);
      const result = store.removeBodies(before, at);
      const expected = model.removeBodies(before, at);
      return async () => expect(await result).toEqual(expected);
    }
    case "show": {
      const result = store.markWriteShown(id, OPERATOR, at);
      const expected = model.show(id, at);
      return async () => expect(await result).toEqual(expected);
    }
    case "count": {
      const settled = store.countWriteAttempt(id).then(
        () => true,
        () => false,
      );
      const expected = model.count(id);
      return async () => expect(await settled).toBe(expected);
    }
  }
};

const compare = async (store: Store, { known, steps, shown, removed }: ReturnType<typeof createModel>) => {
  const newestFirst = known.map(({ write }) => write).sort((a, b) => (a.id < b.id ? 1 : -1));
  expect(await store.readWrites({ limit: 1000 })).toEqual(newestFirst);
  const counts = await store.countWrites();
  for (const state of WRITE_STATES) {
    const inState = newestFirst.filter((write) => write.state === state);
    expect([state, counts[state]]).toEqual([state, inState.length]);
    expect(await store.readWrites({ limit: 1000, states: [state] })).toEqual(inState);
  }

  const { events } = await store.readEvents({ after: 0, limit: 10_000, types: ["write.*"] });
  const told = events.map(({ json }) => JSON.parse(json).data);
  expect(told.map(({ writeId, state }) => ({ id: writeId, state }))).toEqual(steps);
  const rows = await store.readAudit({ limit: 10_000 });
  const audited = rows.filter(({ action }) => action !== "shown" && action !== "body_removed");
  expect(audited.map(({ writeId, action }) => ({ id: writeId, state: action }))).toEqual(steps);
  expect(rows.length - audited.length).toBe(shown() + removed());
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: rows.length });

  for (const { write } of known) {
    const path = steps.flatMap(({ id, state }) => (id === write.id ? [state] : []));
    expect(path[0]).toBe("proposed");
    for (const [index, to] of path.entries()) {
      const from = path[index - 1];
      if (from !== undefined) expect(TRANSITIONS[from]).toContain(to);
    }
    expect(write.state).toBe(path.at(-1));
  }
};

test("after any sequence of calls the writes, the log and the audit log agree", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
      const dataDir = temporaryDirectory();
      const clock = settableClock(T0);
      const model = createModel();
      let store = await openStore({ dataDir, clock });
      try {
        for (const current of steps) {
          if (current.do === "restart") {
            await store.close();
            store = await openStore({ dataDir, clock });
          } else {
            const checks = current.calls.map((each) => make(each, store, model));
            for (const check of checks) await check();
          }
          await compare(store, model);
        }
      } finally {
        await store.close();
      }
    }),
    runs(60),
  );
});
