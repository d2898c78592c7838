// Scripted writes and reads: states in memory, without policy, service or audit.

import { createHash } from "node:crypto";
import {
  type Reads,
  TRANSITIONS,
  WRITE_STATES,
  type Write,
  WriteError,
  type WriteQuery,
  type WriteState,
  type Writes,
} from "../../src/contract/writes.ts";
import { stringifyJson } from "../../src/core/exact-json.ts";
import { renderStatement } from "../../src/writes/statement.ts";
import { summaryOf } from "./summary.ts";

let counter = 0;

export const exampleWrite = (changes: Partial<Write> = {}): Write => {
  const request =
    '{"input":{"orderId":"o-1","orderStatus":"shipped"},"operation":"nexus.orders.update_status"}';
  return {
    id: `write-${String(++counter).padStart(6, "0")}`,
    operation: "nexus.orders.update_status",
    service: "nexus",
    state: "proposed",
    request,
    digest: createHash("sha256").update(request).digest("hex"),
    preview: {
      method: "PATCH",
      url: "https://nexus.example/rest/v1/orders?id=eq.o-1",
      headers: [{ name: "apikey", value: "‹api key›" }],
      body: '{"orderStatus":"shipped"}',
    },
    precondition: null,
    target: "order:o-1",
    idempotent: false,
    destructive: false,
    approval: "operator",
    reason: null,
    agent: null,
    idempotencyKey: null,
    account: null,
    isBound: false,
    proposedAt: "2026-01-01T00:00:00.000Z",
    expiresAt: "2026-01-02T00:00:00.000Z",
    shownAt: null,
    decidedAt: null,
    decidedBy: null,
    signedBy: [],
    note: null,
    executingAt: null,
    finishedAt: null,
    attempts: 0,
    result: null,
    outcome: null,
    bodyRemovedAt: null,
    ...changes,
  };
};

export function scriptedWrites() {
  const all = new Map<string, Write>();
  const calls: unknown[][] = [];
  const known = (id: string): Write => {
    const write = all.get(id);
    if (!write) throw new WriteError("write_not_found", "There is no such write.");
    return write;
  };
  const store = (write: Write): Write => {
    all.set(write.id, write);
    return write;
  };
  const move = (id: string, state: WriteState, changes: Partial<Write>): Write => {
    const write = known(id);
    if (!TRANSITIONS[write.state].includes(state))
      throw new WriteError("write_already_decided", `The write is ${write.state}.`, { write });
    return store({ ...write, state, decidedAt: "2026-01-01T01:00:00.000Z", ...changes });
  };
  const page = ({ states, after, limit }: WriteQuery) =>
    [...all.values()]
      .toReversed()
      .filter(({ id, state }) => (!after || id < after) && (!states || states.includes(state)))
      .slice(0, limit);
  const writes: Writes = {
    async propose(proposal, actor) {
      calls.push(["propose", proposal, actor]);
      const { operation, input, reason, agent, idempotencyKey } = proposal;
      const before = [...all.values()].find((one) => idempotencyKey && one.idempotencyKey === idempotencyKey);
      if (before) return { write: before, isNew: false };
      const request = stringifyJson({ input, operation });
      const write = exampleWrite({
        ...{ operation, request },
        digest: createHash("sha256").update(request).digest("hex"),
        ...{ reason: reason ?? null, agent: agent ?? null, idempotencyKey: idempotencyKey ?? null },
      });
      return { write: store(write), isNew: true };
    },
    get: async (id) => known(id),
    async show(id, actor) {
      calls.push(["show", id, actor]);
      return store({ ...known(id), shownAt: "2026-01-01T00:30:00.000Z" });
    },
    list: async (query) => page(query),
    summaries: async (query) => page(query).map(summaryOf),
    waitFor: async (id) => known(id),
    async approve(id, digest, actor, note) {
      calls.push(["approve", id, digest, actor, note]);
      if (known(id).digest !== digest) throw new WriteError("digest_mismatch", "Another digest.");
      return move(id, "approved", { decidedBy: actor, note: note ?? null });
    },
    async reject(id, reason, actor) {
      calls.push(["reject", id, reason, actor]);
      return move(id, "rejected", { decidedBy: actor, note: reason });
    },
    review: async () => ({
      about: { text: "an order", target: null, changes: [], asOf: null },
      ...{ previous: null, history: [] },
    }),
    signing: () => undefined,
    statement: async (id, decision) => renderStatement(known(id), "epoch", decision),
    async decide(id, signed, actor) {
      calls.push(["decide", id, signed, actor]);
      return move(id, "approved", { decidedBy: { ...actor, signer: signed.signer } });
    },
    async rejectAll(filter, reason, actor) {
      calls.push(["rejectAll", filter, reason, actor]);
      return { count: 0, writes: [] };
    },
    async cancel(id, actor) {
      calls.push(["cancel", id, actor]);
      return move(id, "cancelled", { decidedBy: actor });
    },
    async resolve(id, outcome, note, actor) {
      calls.push(["resolve", id, outcome, note, actor]);
      return move(id, "resolved", { decidedBy: actor, note, outcome });
    },
    async counts() {
      const counts = Object.fromEntries(WRITE_STATES.map((state) => [state, 0]));
      for (const { state } of all.values()) counts[state] = (counts[state] ?? 0) + 1;
      return counts as Record<WriteState, number>; // all of WRITE_STATES
    },
  };
  return { ...writes, all, calls, add: (changes: Partial<Write> = {}) => store(exampleWrite(changes)) };
}

export const scriptedReads = (): Reads => ({
  run: async (_operation, input) => ({ output: input, service: "nexus", durationMs: 1, waitedMs: 0 }),
});
