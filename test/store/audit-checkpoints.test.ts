import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { systemClock } from "../../src/core/clock.ts";
import { runs, testSqlite } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { openStore } from "../support/open-store.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import { AGENT, approval, OPERATOR, propose, rejection, t } from "../support/stored-write.ts";

const LATER = t(1_000_000);
const everything = { limit: 10_000 };

const finished = async (store: Store) => {
  const { id } = await propose(store);
  await store.transitionWrite(rejection(id, "no"));
  return id;
};

const signOff = async (store: Store, sequence: number) => {
  const [row] = await store.readAudit({ after: sequence - 1, limit: 1 });
  return store.signOffAudit({ sequence, hash: row?.hash ?? "", note: null }, OPERATOR, t(5));
};

const sequencesOf = async (store: Store) =>
  (await store.readAudit(everything)).map(({ sequence }) => sequence);

/** Rows 1 to 4 are signed off in row 7 and gone, as row 8 says; rows 5 and 6 are not signed off. */
const shortened = async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const ids = [await finished(store), await finished(store), await finished(store)];
  await signOff(store, 4);
  await store.pruneAudit(LATER, t(6));
  const db = new Database(join(dataDir, "nexusd.db"));
  onTestFinished(() => {
    db.close();
  });
  return { store, db, dataDir, ids };
};

test("without a checkpoint nothing is removed, however old", async () => {
  const store = await openTestStore();
  await finished(store);
  expect(await store.pruneAudit(LATER, t(6))).toEqual({ rows: 0, writes: 0 });
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 2, pruned: null });
});

test("signed-off rows are removed with their writes, the rest stays, and the chain records it", async () => {
  const { store, ids, dataDir } = await shortened();
  expect(await sequencesOf(store)).toEqual([5, 6, 7, 8]);
  expect(await store.readWrite(ids[0] ?? "")).toBeUndefined();
  expect(await store.readWrite(ids[2] ?? "")).toMatchObject({ state: "rejected" });
  expect((await store.countWrites()).rejected).toBe(1);
  const verdict = { ok: true, rows: 8, pruned: { to: 4, at: t(6), row: 8, checkpoint: 7 } };
  expect(await store.verifyAudit()).toMatchObject(verdict);
  await store.close();
  const reopened = await openTestStore({ dataDir });
  expect(await reopened.verifyAudit()).toMatchObject(verdict);
  expect((await reopened.countWrites()).rejected).toBe(1);
});

test("rows that are too young, and rows of an unfinished write, stay together with all rows after them", async () => {
  const store = await openTestStore();
  await finished(store);
  const { id } = await propose(store);
  await finished(store);
  await signOff(store, 5);
  expect(await store.pruneAudit(t(0), t(6))).toEqual({ rows: 0, writes: 0 });
  expect(await store.pruneAudit(LATER, t(6))).toEqual({ rows: 2, writes: 1 });
  await store.transitionWrite(rejection(id, "no"));
  expect(await store.pruneAudit(LATER, t(7))).toEqual({ rows: 3, writes: 1 });
  expect(await store.readWrite(id)).toMatchObject({ state: "rejected" });
  expect(await store.verifyAudit()).toMatchObject({ ok: true, pruned: { to: 5 } });
});

test("a checkpoint names the hash that the operator saw, and one that reaches no further adds nothing", async () => {
  const store = await openTestStore();
  await finished(store);
  const signed = { note: null, sequence: 2 };
  expect(await store.signOffAudit({ ...signed, hash: "0".repeat(64) }, OPERATOR, t(5))).toEqual({
    kind: "hash_mismatch",
  });
  expect(await signOff(store, 9)).toBeUndefined();
  expect(await signOff(store, 2)).toMatchObject({
    kind: "signed",
    row: { sequence: 3, action: "checkpoint" },
  });
  expect(await signOff(store, 1)).toMatchObject({ kind: "covered", row: { sequence: 3 } });
  expect(await sequencesOf(store)).toEqual([1, 2, 3]);
});

test("an agent cannot sign off, even in the database", async () => {
  const store = await openTestStore();
  await finished(store);
  const [, row] = await store.readAudit(everything);
  const signed = { sequence: 2, hash: row?.hash ?? "", note: null };
  await expect(store.signOffAudit(signed, AGENT, t(5))).rejects.toThrow();
  expect(await sequencesOf(store)).toEqual([1, 2]);
});

const COPY = (sequence: number, action: string, detail: string) =>
  `INSERT INTO audit SELECT ${sequence}, at, '${action}', '', digest, 'operator.sock', user, '${detail}', previous_hash, hash, NULL, NULL
   FROM audit WHERE sequence = 5`;

testSqlite.each([
  ["a row that was not signed off", "DELETE FROM audit WHERE sequence = 5", "append-only"],
  ["the checkpoint", "DELETE FROM audit WHERE sequence = 7", "append-only"],
  ["everything", "DELETE FROM audit", "append-only"],
  [
    "more by a forged word of its removal",
    COPY(9, "pruned", '{"from":5,"to":6,"rows":2,"checkpoint":7}'),
    "append-only beyond",
  ],
  ["a write whose rows are there", "DELETE FROM writes", "never removed"],
])("the database refuses to remove %s", async (_what, sql, message) => {
  const { store, db } = await shortened();
  expect(() => db.exec(sql)).toThrow(message);
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 8 });
});

testSqlite.each<[what: string, sql: string, sequence: number, why: RegExp]>([
  ["a changed checkpoint", "UPDATE audit SET detail = '{}' WHERE sequence = 7", 7, /^changed/],
  ["a checkpoint of an agent", "UPDATE audit SET via = 'agent.sock' WHERE sequence = 7", 7, /^changed/],
  ["a removed checkpoint", "DELETE FROM audit WHERE sequence = 7", 7, /^removed: the checkpoint/],
  ["a changed word of what went", "UPDATE audit SET digest = hash WHERE sequence = 8", 8, /^changed/],
  [
    "a removed word of what went",
    "DELETE FROM audit WHERE sequence = 8",
    1,
    /^removed: the row after 0 is 5/,
  ],
  ["a row removed after it", "DELETE FROM audit WHERE sequence = 5", 5, /^removed: the row after 4 is 6/],
  ["a row changed after it", "UPDATE audit SET detail = '{}' WHERE sequence = 6", 6, /^changed/],
  ["a row put in the place of a removed one", COPY(4, "rejected", "{}"), 4, /^added/],
])("%s is found and named, and nothing more is removed", async (_what, sql, sequence, why) => {
  const { store, db } = await shortened();
  const names = db.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck().all();
  for (const name of names) db.exec(`DROP TRIGGER ${name}`);
  db.exec(sql);
  expect((await store.verifyAudit()).brokenAt).toEqual({ sequence, why: expect.stringMatching(why) });
});

test("after any sequence of writes, sign-offs and removals the chain verifies, and only signed-off rows are gone", async () => {
  const step = fc.oneof(
    fc.constantFrom("finish", "leave open", "close").map((kind) => ({ kind, at: 0 })),
    fc.nat({ max: 30 }).map((at) => ({ kind: "sign off", at })),
    fc.constant({ kind: "prune", at: 0 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const store = await openTestStore();
      const open: string[] = [];
      let signed = 0;
      for (const { kind, at } of steps) {
        if (kind === "finish") await finished(store);
        if (kind === "leave open") open.push((await propose(store)).id);
        const id = kind === "close" ? open.pop() : undefined;
        if (id) await store.transitionWrite(rejection(id, "no"));
        if (kind === "sign off") {
          const result = await signOff(store, at);
          if (result?.kind === "signed") signed = Math.max(signed, at);
        }
        if (kind === "prune") await store.pruneAudit(LATER, t(6));
        const { ok, pruned, rows } = await store.verifyAudit();
        expect(ok).toBe(true);
        expect(pruned?.to ?? 0).toBeLessThanOrEqual(signed);
        expect(await sequencesOf(store)).toEqual(
          Array.from({ length: rows - (pruned?.to ?? 0) }, (_, n) => (pruned?.to ?? 0) + n + 1),
        );
        for (const openId of open)
          expect(await store.readAudit({ writeId: openId, limit: 1 })).toHaveLength(1);
      }
      await store.close();
    }),
    runs(25),
  );
});

const PRUNER = fileURLToPath(new URL("../support/audit-pruner.ts", import.meta.url));

testSqlite("a SIGKILL while rows are removed leaves a chain that verifies", async () => {
  const dataDir = temporaryDirectory();
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, [PRUNER, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
    const closed = new Promise((resolve) => child.on("close", resolve));
    await new Promise((resolve) => child.stdout.once("data", resolve));
    const kill = setTimeout(() => child.kill("SIGKILL"), Math.random() * 60);
    await closed;
    clearTimeout(kill);
    const store = await openStore({ dataDir, clock: systemClock });
    try {
      const { ok, rows, pruned } = await store.verifyAudit();
      expect(ok).toBe(true);
      expect(rows).toBeGreaterThan(0);
      expect(await store.readAudit({ limit: 1 })).toMatchObject([{ sequence: (pruned?.to ?? 0) + 1 }]);
    } finally {
      await store.close();
    }
  }
});

test("a row stamped in the future is removed with the rows after it", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  await store.transitionWrite({ ...rejection(id, "no"), at: "2099-01-01T00:00:00.000Z" });
  await signOff(store, 2);
  expect(await store.pruneAudit(LATER, t(6))).toEqual({ rows: 1, writes: 0 });
  await finished(store);
  await signOff(store, 5);
  expect(await store.pruneAudit(LATER, t(7))).toMatchObject({ rows: 4 });
  expect(await store.verifyAudit()).toMatchObject({ ok: true });
});

test("an approved write that was not executed counts as unfinished", async () => {
  const store = await openTestStore();
  const { id } = await propose(store);
  await store.transitionWrite(approval(id));
  await signOff(store, 2);
  expect(await store.pruneAudit(LATER, t(6))).toEqual({ rows: 0, writes: 0 });
});
