import { join } from "node:path";
import Database from "better-sqlite3";
import { ulid } from "ulid";
import { expect, onTestFinished, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import type { WriteTransition } from "../../src/contract/write-store.ts";
import { WRITE_STATES, type Write } from "../../src/contract/writes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { stringifyJson } from "../../src/core/exact-json.ts";
import { migrate, readMigrations } from "../../src/store/sqlite/migrate.ts";
import { runs, testSqlite } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { openStore } from "../support/open-store.ts";
import { numbersOf, openTestStore, temporaryDirectory } from "../support/store.ts";
import {
  AGENT,
  approval,
  NEXUSD,
  NO_REJECTION,
  OPERATOR,
  propose,
  proposedWrite,
  rejection,
  t,
} from "../support/stored-write.ts";

const everything = { after: 0, limit: 10_000 };

const approve = async (store: Store, id: string, at?: string) => store.transitionWrite(approval(id, at));

const finish = (id: string, to: "succeeded" | "failed" | "unknown", at = t(9)): WriteTransition => ({
  id,
  from: "executing",
  to,
  patch: { finishedAt: at, result: { output: { row: 48066188026052611n } } },
  actor: NEXUSD,
  at,
  detail: { outcome: to },
});

const claim = async (store: Store, at = t(5)) => (await store.claimNextWrite(NEXUSD, at))?.id;

const keyOf = (key: string) => ({ key, operation: "nexus.orders.update_status", agent: null });

const eventsOf = async (store: Store) =>
  (await store.readEvents({ ...everything, types: ["write.*"] })).events.map(({ json }) => JSON.parse(json));

test("a write is stored as it was proposed, whatever it holds and whatever happens to the object later", async () => {
  const store = await openTestStore();
  const text = fc.option(fc.string({ unit: "binary" }), { nil: null });
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        reason: text,
        agent: text,
        precondition: text,
        idempotent: fc.boolean(),
        destructive: fc.boolean(),
      }),
      fc.jsonValue({ stringUnit: "binary" }),
      async (fields, input) => {
        const write = proposedWrite({ ...fields, input });
        const before = structuredClone(write);
        const pending = store.proposeWrite(write, AGENT, NO_REJECTION);
        write.preview.url = "https://elsewhere.test";
        write.reason = "changed";
        expect(await pending).toEqual({ kind: "created", write: before });
        expect(await store.readWrite(before.id)).toEqual(before);
      },
    ),
    runs(40),
  );
});

test("a step stores a state, an event and an audit row, or none of the three", async () => {
  const store = await openTestStore();
  const write = await propose(store, { reason: "late order", agent: "claude" });
  const refused = store.transitionWrite({
    ...approval(write.id),
    // Refused by the database after the update was made.
    actor: JSON.parse("{}"),
  });
  await expect(refused).rejects.toThrow();
  expect(await store.readWrite(write.id)).toEqual(write);
  expect([(await eventsOf(store)).length, (await store.readAudit(everything)).length]).toEqual([1, 1]);
  expect((await store.countWrites()).proposed).toBe(1);

  const note = "checked with the customer";
  const decided: WriteTransition = { ...approval(write.id), detail: { note } };
  const done = await store.transitionWrite({ ...decided, patch: { ...decided.patch, note } });
  const approved: Write = { ...write, state: "approved", decidedAt: t(1), decidedBy: OPERATOR, note };
  expect(done).toEqual({ kind: "done", write: approved });
  expect(await store.readWrite(write.id)).toEqual(approved);
  const [, event] = await eventsOf(store);
  expect(event).toMatchObject({
    type: "nexusd.write.approved",
    source: `/writes/${write.id}`,
    subject: write.operation,
    time: t(1),
    data: {
      writeId: write.id,
      operation: write.operation,
      state: "approved",
      digest: write.digest,
      agent: "claude",
      reason: "late order",
      note,
      error: null,
    },
  });
  expect((await store.readAudit({ after: 1, limit: 10 }))[0]).toMatchObject({
    sequence: 2,
    at: t(1),
    action: "approved",
    writeId: write.id,
    digest: write.digest,
    actor: OPERATOR,
    detail: '{"note":"checked with the customer"}',
  });
  expect(await store.countWrites()).toMatchObject({ proposed: 0, approved: 1 });
});

test("listeners of the log are told of a step as of any other event", async () => {
  const store = await openTestStore();
  const heard: number[] = [];
  store.onAppend((latest) => heard.push(latest));
  const { id } = await propose(store);
  await approve(store, id);
  expect(heard).toEqual([1, 2]);
});

test("the same idempotency key returns the same write, and with another request a conflict", async () => {
  const store = await openTestStore();
  const first = proposedWrite({ idempotencyKey: "k", input: { n: 1 } });
  const again = proposedWrite({ idempotencyKey: "k", input: { n: 1 } });
  const other = proposedWrite({ idempotencyKey: "k", input: { n: 2 } });
  const results = await Promise.all(
    [first, again, other].map((write) => store.proposeWrite(write, AGENT, NO_REJECTION)),
  );
  expect(results.map((result) => [result.kind, "write" in result && result.write.id])).toEqual([
    ["created", first.id],
    ["existing", first.id],
    ["idempotency_conflict", first.id],
  ]);
  expect((await eventsOf(store)).length).toBe(1);
  expect((await store.readWriteByIdempotencyKey(keyOf("k")))?.id).toBe(first.id);
  expect(await store.readWriteByIdempotencyKey(keyOf("other"))).toBeUndefined();
  await approve(store, first.id);
  expect(await store.proposeWrite(again, AGENT, NO_REJECTION)).toMatchObject({
    kind: "existing",
    write: { id: first.id, state: "approved" },
  });
  expect(await store.readWrites({ limit: 10 })).toHaveLength(1);
});

test("a rejected request cannot be proposed again for a while", async () => {
  const store = await openTestStore();
  const input = { orderId: 1 };
  const first = await propose(store, { input });
  await store.transitionWrite(rejection(first.id, "not today", t(100)));
  const again = (rejectedSince: string, write = proposedWrite({ input })) =>
    store.proposeWrite(write, AGENT, { rejectedSince });
  expect(await again(t(99))).toMatchObject({
    kind: "recently_rejected",
    write: { id: first.id, note: "not today" },
  });
  expect((await again(t(99), proposedWrite({ input: { orderId: 2 } }))).kind).toBe("created");
  expect((await again(t(100))).kind).toBe("created");
  expect(await store.countWrites()).toMatchObject({ proposed: 2, rejected: 1 });
});

test("of two approvals in the same turn exactly one happens, and likewise of an approval and a rejection", async () => {
  const store = await openTestStore();
  for (const rival of [approval, (id: string) => rejection(id, "no")]) {
    const { id } = await propose(store);
    const [first, second] = await Promise.all([
      store.transitionWrite(approval(id, t(1))),
      store.transitionWrite(rival(id, t(2))),
    ]);
    expect(first).toMatchObject({ kind: "done", write: { state: "approved", decidedAt: t(1) } });
    expect(second).toEqual({ kind: "refused", write: first?.write });
  }
  const events = (await eventsOf(store)).map(({ type }) => type);
  expect(events.filter((type) => type === "nexusd.write.approved")).toHaveLength(2);
  expect(events).not.toContain("nexusd.write.rejected");
});

test("an approval after the expiry is refused, to the millisecond", async () => {
  const store = await openTestStore();
  const { id } = await propose(store, { expiresAt: t(60) });
  expect(await approve(store, id, t(60))).toMatchObject({ kind: "refused", write: { state: "proposed" } });
  expect(await approve(store, id, "2026-03-01T12:00:59.999Z")).toMatchObject({ kind: "done" });
});

test("a transition that the diagram does not have is a defect, and one of an unknown write returns undefined", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  for (const [from, to] of [
    ["proposed", "executing"],
    ["proposed", "succeeded"],
    ["approved", "succeeded"],
    ["unknown", "executing"],
    ["rejected", "approved"],
    ["proposed", "proposed"],
  ] as const)
    await expect(store.transitionWrite({ ...approval(id), from, to })).rejects.toThrow(
      `from ${from} to ${to}`,
    );
  await expect(store.proposeWrite(proposedWrite({ state: "approved" }), AGENT, NO_REJECTION)).rejects.toThrow(
    "not approved",
  );
  expect(await approve(store, ulid())).toBeUndefined();
  expect(await store.readWrite(ulid())).toBeUndefined();
  expect(await store.markWriteShown(ulid(), OPERATOR, t(1))).toBeUndefined();
  expect((await store.readWrite(id))?.state).toBe("proposed");
});

test("no step undoes what an earlier one recorded", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  const decided = approval(id);
  await store.transitionWrite({ ...decided, patch: { ...decided.patch, note: "yes" } });
  await claim(store);
  const failed = finish(id, "failed");
  await store.transitionWrite({ ...failed, patch: { ...failed.patch, note: null, decidedBy: null } });
  expect(await store.readWrite(id)).toMatchObject({ note: "yes", decidedBy: OPERATOR, decidedAt: t(1) });
});

test("writes are claimed in the order of their approval, one at a time for each target", async () => {
  const store = await openTestStore();
  const order: Write[] = [];
  for (const target of ["a", "a", "b", "a", "c"]) order.push(await propose(store, { target }));
  const [a1, a2, b1, a3, c1] = order.map(({ id }) => id);
  if (!a1 || !a2 || !b1 || !a3 || !c1) throw new Error("five were proposed");
  expect(await claim(store)).toBeUndefined();

  // Not in the order of the proposals, and all at the same time by the clock.
  await Promise.all([a3, b1, a1, c1, a2].map((id) => approve(store, id)));
  expect([await claim(store), await claim(store), await claim(store), await claim(store)]).toEqual([
    a3,
    b1,
    c1,
    undefined,
  ]);
  await store.transitionWrite(finish(a3, "unknown"));
  expect(await Promise.all([claim(store, t(6)), claim(store, t(6))])).toEqual([a1, undefined]);
  expect(await store.readWrite(a1)).toMatchObject({ state: "executing", executingAt: t(6), attempts: 1 });

  await store.countWriteAttempt(a1);
  await store.transitionWrite(finish(a1, "succeeded"));
  expect(await store.readWrite(a1)).toMatchObject({
    state: "succeeded",
    attempts: 2,
    finishedAt: t(9),
    result: { output: { row: 48066188026052611n } },
  });
  expect(await claim(store)).toBe(a2);
  await expect(store.countWriteAttempt(a1)).rejects.toThrow("not executing");
});

test("the order of approval survives a restart", async () => {
  const dataDir = temporaryDirectory();
  const first = await openTestStore({ dataDir });
  const writes = [await propose(first), await propose(first), await propose(first)];
  const reversed = writes.map(({ id }) => id).reverse();
  for (const id of reversed.slice(0, 2)) await approve(first, id);
  await first.close();

  const store = await openTestStore({ dataDir });
  for (const id of reversed.slice(2)) await approve(store, id);
  expect(await store.countWrites()).toMatchObject({ proposed: 0, approved: 3 });
  for (const id of reversed) {
    expect(await claim(store)).toBe(id);
    await store.transitionWrite(finish(id, "succeeded"));
  }
});

test("writes past their expiry expire, each with its event and audit row, and nothing else does", async () => {
  const store = await openTestStore();
  const late = await Promise.all(
    Array.from({ length: 250 }, (_, n) => propose(store, { expiresAt: t(n % 60) })),
  );
  const approved = await propose(store, { expiresAt: t(10) });
  await approve(store, approved.id);
  const kept = await propose(store, { expiresAt: "2026-03-01T12:01:00.001Z" });
  const expired = await store.expireWrites(t(60));
  expect(expired.map(({ id }) => id).sort()).toEqual(late.map(({ id }) => id).sort());
  expect(expired.every(({ state, finishedAt }) => state === "expired" && finishedAt === t(60))).toBe(true);
  expect(await store.expireWrites(t(60))).toEqual([]);
  expect(await store.countWrites()).toMatchObject({ proposed: 1, approved: 1, expired: 250 });
  expect((await store.readWrite(kept.id))?.state).toBe("proposed");

  const rows = await store.readAudit({ after: 253, limit: 1000 });
  expect(rows.map(({ action }) => action)).toEqual(Array.from({ length: 250 }, () => "expired"));
  const [first] = rows;
  const write = expired.find(({ id }) => id === first?.writeId);
  expect(first?.actor).toEqual(NEXUSD);
  expect(JSON.parse(first?.detail ?? "")).toEqual({
    operation: write?.operation,
    expiresAt: write?.expiresAt,
  });
  const { events } = await store.readEvents({ ...everything, types: ["write.expired"] });
  expect(events).toHaveLength(250);
});

test("a write is shown once, with an audit row and no event", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  const [first, second] = await Promise.all([
    store.markWriteShown(id, OPERATOR, t(3)),
    store.markWriteShown(id, AGENT, t(4)),
  ]);
  expect([first?.shownAt, second?.shownAt]).toEqual([t(3), t(3)]);
  const rows = await store.readAudit({ limit: 10, writeId: id });
  expect(rows.map(({ action, actor, at }) => [action, actor, at])).toEqual([
    ["proposed", AGENT, "2026-03-01T12:00:00.000Z"],
    ["shown", OPERATOR, t(3)],
  ]);
  expect(await eventsOf(store)).toHaveLength(1);
});

test("writes are listed newest first, page by page, by any set of states", async () => {
  const store = await openTestStore();
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) ids.push((await propose(store, { id: ulid(1_000_000 + n) })).id);
  for (const [n, id] of ids.entries()) {
    if (n % 3 === 1) await approve(store, id);
    if (n % 3 === 2) await store.transitionWrite(rejection(id, "no"));
  }
  const newest = (remainders: number[]) => ids.filter((_, n) => remainders.includes(n % 3)).reverse();
  const pages = async (query: Parameters<Store["readWrites"]>[0]) => {
    const found: string[] = [];
    for (let after: string | undefined; ; after = found.at(-1)) {
      const page = await store.readWrites({ ...query, ...(after === undefined ? {} : { after }) });
      found.push(...page.map(({ id }) => id));
      if (page.length < query.limit) return found;
    }
  };
  for (const limit of [1, 5, 12, 100]) {
    expect(await pages({ limit })).toEqual(newest([0, 1, 2]));
    expect(await pages({ limit, states: ["approved"] })).toEqual(newest([1]));
    expect(await pages({ limit, states: ["rejected", "proposed", "rejected"] })).toEqual(newest([0, 2]));
    expect(await pages({ limit, states: ["unknown"] })).toEqual([]);
    expect(await pages({ limit, states: [] })).toEqual([]);
    expect(await pages({ limit, states: [...WRITE_STATES] })).toEqual(newest([0, 1, 2]));
  }
});

test("writes are found by their target and by their operation, with any set of states", async () => {
  const store = await openTestStore();
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) {
    const of = { target: `t${n % 2}`, operation: `nexus.orders.${n % 3 === 0 ? "create" : "update_status"}` };
    ids.push((await propose(store, { id: ulid(1_000_000 + n), ...of })).id);
  }
  for (const n of [1, 2, 3, 8]) await approve(store, ids[n] ?? "");
  const numbers = async (query: Omit<Parameters<Store["readWrites"]>[0], "limit">, limit = 100) => {
    const whole = (await store.readWrites({ ...query, limit })).map(({ id }) => ids.indexOf(id));
    const short = (await store.readWriteSummaries({ ...query, limit })).map(({ id }) => ids.indexOf(id));
    expect(short).toEqual(whole);
    return whole;
  };
  expect(await numbers({ target: "t0" })).toEqual([10, 8, 6, 4, 2, 0]);
  expect(await numbers({ target: "t0" }, 2)).toEqual([10, 8]);
  expect(await numbers({ target: "t0", after: ids[6] ?? "" })).toEqual([4, 2, 0]);
  expect(await numbers({ operation: "nexus.orders.create" })).toEqual([9, 6, 3, 0]);
  expect(await numbers({ target: "t1", operation: "nexus.orders.create" })).toEqual([9, 3]);
  expect(await numbers({ target: "t0", states: ["approved", "executing"] })).toEqual([8, 2]);
  expect(await numbers({ operation: "nexus.orders.update_status", states: ["approved"] })).toEqual([8, 2, 1]);
  expect(await numbers({ target: "t0", states: [] })).toEqual([]);
  expect(await numbers({ target: "nothing" })).toEqual([]);
});

test("a page of writes ends at the requested length, and holds at least one", async () => {
  const store = await openTestStore();
  for (let n = 0; n < 5; n++) await propose(store, { id: ulid(1_000_000 + n), target: `t${n}` });
  const [newest] = await store.readWrites({ limit: 1 });
  const length = (newest?.request.length ?? 0) + JSON.stringify(newest?.preview).length;
  for (const states of [undefined, WRITE_STATES.slice()]) {
    const query = { limit: 5, ...(states && { states }) };
    expect(await store.readWrites({ ...query, maxLength: 2 * length })).toHaveLength(2);
    expect(await store.readWrites({ ...query, maxLength: 2 * length + 1 })).toHaveLength(3);
    expect(await store.readWrites({ ...query, maxLength: 1 })).toHaveLength(1);
    expect(await store.readWrites({ ...query, maxLength: 100 * length })).toHaveLength(5);
  }
});

test("a service's answer is recorded even if it is not well-formed text", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  await approve(store, id);
  await claim(store);
  const message = "half a \ud83d";
  const failed = await store.transitionWrite({
    ...finish(id, "failed"),
    patch: { finishedAt: t(9), result: { error: { code: "http_400", message } } },
    detail: { message },
  });
  expect(failed).toMatchObject({ kind: "done", write: { result: { error: { message } } } });
  expect((await store.readAudit(everything)).at(-1)?.detail).toBe('{"message":"half a \ufffd"}');
  expect((await store.verifyAudit()).ok).toBe(true);
});

testSqlite("the database refuses to change what was proposed, and to remove a write", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  await propose(store);
  const db = new Database(join(dataDir, "nexusd.db"));
  onTestFinished(() => {
    db.close();
  });
  for (const column of [
    "id",
    "request",
    "digest",
    "preview",
    "precondition",
    "target",
    "approval",
    "expires_at",
  ])
    expect(() => db.exec(`UPDATE writes SET ${column} = 'x'`)).toThrow("never changed");
  expect(() => db.exec("DELETE FROM writes")).toThrow("never removed");
});

test("retention leaves every write and the audit log", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  await store.pruneEvents({ keep: 0, before: "9999-01-01T00:00:00.000Z" });
  expect((await store.readEvents(everything)).events).toEqual([]);
  expect((await store.readWrite(id))?.state).toBe("proposed");
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 1 });
});

testSqlite(
  "a database of the first schema is upgraded with its log, its epoch and everything stored",
  async () => {
    const dataDir = temporaryDirectory();
    const old = new Database(join(dataDir, "nexusd.db"));
    migrate(old, readMigrations().slice(0, 1));
    const epoch = ulid();
    old.prepare("INSERT INTO meta (key, value) VALUES ('epoch', ?), ('probes', 7)").run(epoch);
    const insert = old.prepare(
      `INSERT INTO events (id, source, type, time, data)
     VALUES (?, '/test', 'nexusd.service.recovered', '2026-01-01T00:00:00.000Z', ?)`,
    );
    for (let n = 1; n <= 50; n++) insert.run(ulid(n), JSON.stringify({ service: "nex", state: `${n}` }));
    old.exec("DELETE FROM events WHERE sequence <= 10");
    old.exec(`INSERT INTO cursors VALUES ('nex.insights', '{"after":1}', '2026-01-01T00:00:00.000Z')`);
    old.exec("INSERT INTO secrets VALUES ('nexus.token', 't')");
    old.close();

    const store = await openTestStore({ dataDir });
    expect(store.epoch).toBe(epoch);
    const page = await store.readEvents(everything);
    expect(page).toMatchObject({ oldest: 11, latest: 50, gap: { from: 1, to: 10 } });
    expect(numbersOf(page)).toEqual(Array.from({ length: 40 }, (_, n) => n + 11));
    expect((await store.readCursor("nex.insights"))?.value).toEqual({ after: 1 });
    expect(await store.readSecret("nexus.token")).toBe("t");
    expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 0, head: null, pruned: null });
    const { id } = await propose(store);
    expect((await store.readEvents(everything)).latest).toBe(51);
    expect((await approve(store, id))?.kind).toBe("done");
  },
);

test("after close every call is refused", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  await store.close();
  const calls = [
    () => store.proposeWrite(proposedWrite(), AGENT, NO_REJECTION),
    () => store.transitionWrite(approval(id)),
    () => store.claimNextWrite(NEXUSD, t(1)),
    () => store.countWriteAttempt(id),
    () => store.readWrite(id),
    () => store.readWriteByIdempotencyKey(keyOf("k")),
    () => store.readWrites({ limit: 1 }),
    () => store.countWrites(),
    () => store.expireWrites(t(1)),
    () => store.markWriteShown(id, OPERATOR, t(1)),
    () => store.readAudit({ limit: 1 }),
    () => store.verifyAudit(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "unusable" });
});

test("proposals that are committed together share the limit in bytes, also after a restart and when writes end", async () => {
  const dataDir = temporaryDirectory();
  let store = await openStore({ dataDir, clock: systemClock });
  // Two bytes a letter: what counts is what the disk keeps.
  const write = (n: number) => proposedWrite({ input: { text: "é".repeat(1000), n } });
  const size = ({ request, preview }: Write) =>
    Buffer.byteLength(request) + Buffer.byteLength(stringifyJson(preview));
  const one = size(write(0));
  expect(one).toBeGreaterThan(4000);
  const options = { ...NO_REJECTION, most: { writes: 100, bytes: 3 * one + 10 } };
  const offer = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => store.proposeWrite(write(n), AGENT, options)));
  const kinds = async (count: number) => (await offer(count)).map(({ kind }) => kind);
  try {
    expect(await kinds(5)).toEqual(["created", "created", "created", "too_many_open", "too_many_open"]);
    expect(await store.countOpenWrites()).toEqual({ writes: 3, bytes: 3 * one });
    await store.close();
    store = await openStore({ dataDir, clock: systemClock });
    expect(await store.countOpenWrites()).toEqual({ writes: 3, bytes: 3 * one });
    const [first] = await store.readWrites({ limit: 1 });
    await store.transitionWrite(rejection(first?.id ?? "", "no"));
    expect(await store.countOpenWrites()).toEqual({ writes: 2, bytes: 2 * one });
    // A commit that fails takes its bytes back with it.
    const { id } = (await store.readWrites({ limit: 1, states: ["proposed"] }))[0] ?? expect.fail();
    const broken = { ...rejection(id, "no"), actor: JSON.parse("{}") };
    await expect(store.transitionWrite(broken)).rejects.toThrow();
    expect(await store.countOpenWrites()).toEqual({ writes: 2, bytes: 2 * one });
    expect(await kinds(2)).toEqual(["created", "too_many_open"]);
  } finally {
    await store.close();
  }
});
