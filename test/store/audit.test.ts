import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { auditHash, GENESIS_HASH } from "../../src/contract/audit.ts";
import type { AuditRow } from "../../src/contract/writes.ts";
import { canonicalJson, digestOf } from "../../src/core/canonical-json.ts";
import { testSqlite } from "../support/adapters.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import { AGENT, approval, OPERATOR, propose, rejection, t } from "../support/stored-write.ts";

const everything = { limit: 10_000 };
const HOLDS = { ok: true, pruned: null, changed: [], changedCount: 0 };

/** A store with ten rows in its audit log, and a second connection that respects nothing. */
const tenRows = async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  for (let n = 0; n < 4; n++) {
    const { id } = await propose(store, { reason: `reason ${n}` });
    await store.transitionWrite(n % 2 ? rejection(id, "no") : approval(id));
    if (n % 2) await store.markWriteShown(id, OPERATOR, t(2));
  }
  const db = attacker(dataDir);
  return { store, db, dataDir };
};

const attacker = (dataDir: string) => {
  const db = new Database(join(dataDir, "nexusd.db"));
  onTestFinished(() => {
    db.close();
  });
  return db;
};

const dropTriggers = (db: Database.Database) => {
  const names = db.prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'trigger'").pluck();
  for (const name of names.all()) db.exec(`DROP TRIGGER ${name}`);
};

test("each row holds the hash of the row before, over all its fields, from a known start", async () => {
  const { store } = await tenRows();
  const rows = await store.readAudit(everything);
  expect(rows.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  let previousHash = GENESIS_HASH;
  for (const { hash, ...rest } of rows) {
    expect(rest.previousHash).toBe(previousHash);
    // As anyone would compute it who has only the row: no function of ours that knows the fields.
    expect(hash).toBe(digestOf(canonicalJson(rest)));
    previousHash = hash;
  }
  expect(await store.verifyAudit()).toEqual({ ...HOLDS, rows: 10, head: previousHash });
});

test("no field of a row can change without changing its hash", () => {
  const row: AuditRow = {
    sequence: 1,
    at: t(0),
    action: "proposed",
    writeId: "w",
    digest: "d",
    actor: { via: "agent.sock", user: null },
    detail: "{}",
    previousHash: GENESIS_HASH,
    hash: "",
  };
  const others: AuditRow[] = [
    { ...row, sequence: 2 },
    { ...row, at: t(1) },
    { ...row, action: "approved" },
    { ...row, writeId: "x" },
    { ...row, digest: "e" },
    { ...row, actor: { via: "operator.sock", user: null } },
    { ...row, actor: { via: "agent.sock", user: "root" } },
    { ...row, detail: "[]" },
    { ...row, previousHash: "1".repeat(64) },
  ];
  expect(new Set([row, ...others].map(auditHash)).size).toBe(others.length + 1);
});

test("the chain continues after a restart", async () => {
  const { store, dataDir } = await tenRows();
  await store.close();
  const reopened = await openTestStore({ dataDir });
  await propose(reopened);
  expect(await reopened.verifyAudit()).toMatchObject({ ok: true, rows: 11 });
});

test("the audit log is read in order, from any position, and for one write", async () => {
  const { store } = await tenRows();
  const sequences = async (query: Parameters<typeof store.readAudit>[0]) =>
    (await store.readAudit(query)).map(({ sequence }) => sequence);
  expect(await sequences({ after: 3, limit: 4 })).toEqual([4, 5, 6, 7]);
  expect(await sequences({ after: 10, limit: 4 })).toEqual([]);
  const [, , third] = await store.readAudit(everything);
  if (!third) throw new Error("ten rows");
  const { writeId } = third;
  expect(await sequences({ writeId, limit: 10 })).toEqual([3, 4, 5]);
  expect(await sequences({ writeId, after: 3, limit: 1 })).toEqual([4]);
  expect(await sequences({ writeId: "none", limit: 10 })).toEqual([]);
});

testSqlite.each([
  "UPDATE audit SET detail = '{}' WHERE sequence = 5",
  "DELETE FROM audit WHERE sequence = 5",
  "DELETE FROM audit",
  "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE sequence = 5",
  "INSERT INTO audit SELECT 0, at, action, write_id, digest, via, user, detail, previous_hash, hash, covers, signer FROM audit LIMIT 1",
])("the database refuses %s", async (sql) => {
  const { store, db } = await tenRows();
  expect(() => db.exec(sql)).toThrow("append-only");
  expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: 10 });
});

const SWAP = `UPDATE audit SET sequence = -1 WHERE sequence = 5;
  UPDATE audit SET sequence = 5 WHERE sequence = 6;
  UPDATE audit SET sequence = 6 WHERE sequence = -1`;

testSqlite.each<[what: string, sql: string, sequence: number, why: RegExp]>([
  ["a changed detail", "UPDATE audit SET detail = '{}' WHERE sequence = 5", 5, /^changed/],
  ["a changed actor", "UPDATE audit SET user = 'root' WHERE sequence = 1", 1, /^changed/],
  ["an actor made unknown", "UPDATE audit SET user = NULL WHERE sequence = 10", 10, /^changed/],
  ["a changed action", "UPDATE audit SET action = 'approved' WHERE sequence = 4", 4, /^changed/],
  ["a changed time", "UPDATE audit SET at = '2026-01-01T00:00:00.000Z' WHERE sequence = 4", 4, /^changed/],
  ["a changed hash", "UPDATE audit SET hash = write_id WHERE sequence = 5", 5, /^changed/],
  ["a changed link", "UPDATE audit SET previous_hash = hash WHERE sequence = 5", 5, /^does not follow row 4/],
  ["a removed row", "DELETE FROM audit WHERE sequence = 5", 5, /^removed: the row after 4 is 6/],
  ["a removed first row", "DELETE FROM audit WHERE sequence = 1", 1, /^removed: the row after 0 is 2/],
  ["removed rows", "DELETE FROM audit WHERE sequence BETWEEN 3 AND 8", 3, /^removed: the row after 2 is 9/],
  ["a cut end", "DELETE FROM audit WHERE sequence > 7", 8, /^removed: .* 10 rows, and ends after 7/],
  ["a removed log", "DELETE FROM audit", 1, /^removed: .* 10 rows, and ends after 0/],
  ["two rows in the other order", SWAP, 5, /^does not follow row 4/],
  [
    "a removed row with the later ones moved up",
    "DELETE FROM audit WHERE sequence = 5; UPDATE audit SET sequence = sequence - 1 WHERE sequence > 5",
    5,
    /^does not follow row 4/,
  ],
  [
    "a row put before the first",
    "INSERT INTO audit SELECT -3, at, action, write_id, digest, via, user, detail, previous_hash, hash, covers, signer FROM audit LIMIT 1",
    -3,
    /^added/,
  ],
  ["a removed record of the end", "DELETE FROM meta WHERE key LIKE 'audit%'", 10, /from meta/],
])("%s is found and named", async (_what, sql, sequence, why) => {
  const { store, db } = await tenRows();
  dropTriggers(db);
  db.exec(sql);
  const { ok, brokenAt } = await store.verifyAudit();
  expect({ ok, brokenAt }).toEqual({ ok: false, brokenAt: { sequence, why: expect.stringMatching(why) } });
});

/** What somebody would write who knows how the chain is made. */
const rehash = (row: AuditRow, previousHash: string): AuditRow => {
  const moved = { ...row, previousHash };
  return { ...moved, hash: auditHash(moved) };
};

const put = (db: Database.Database, row: AuditRow) =>
  db
    .prepare("REPLACE INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
    .run(
      row.sequence,
      row.at,
      row.action,
      row.writeId,
      row.digest,
      row.actor.via,
      row.actor.user,
      row.detail,
      row.previousHash,
      row.hash,
      row.covers ?? null,
      row.actor.signer ?? null,
    );

testSqlite("a row that was changed along with its hash is found by the row after it", async () => {
  const { store, db } = await tenRows();
  dropTriggers(db);
  const [row] = await store.readAudit({ after: 4, limit: 1 });
  if (!row) throw new Error("ten rows");
  put(db, rehash({ ...row, actor: OPERATOR, detail: "{}" }, row.previousHash));
  expect(await store.verifyAudit()).toMatchObject({ ok: false, rows: 5, brokenAt: { sequence: 6 } });
});

testSqlite("a chain that was recomputed to its end is found by the last row", async () => {
  const { store, db } = await tenRows();
  dropTriggers(db);
  const rows = await store.readAudit(everything);
  let previousHash = GENESIS_HASH;
  for (const row of rows) {
    const forged = rehash({ ...row, actor: row.sequence === 2 ? AGENT : row.actor }, previousHash);
    put(db, forged);
    previousHash = forged.hash;
  }
  expect(await store.verifyAudit()).toMatchObject({
    ok: false,
    rows: 10,
    head: previousHash,
    pruned: null,
    brokenAt: { sequence: 10, why: expect.stringMatching(/^changed: .* recorded for the last row/) },
  });
});

testSqlite(
  "a row that was added at the end by hand is found, and nothing is appended to a forged log",
  async () => {
    const { store, db } = await tenRows();
    const { id } = await propose(store);
    dropTriggers(db);
    const last = (await store.readAudit(everything)).at(-1);
    if (!last) throw new Error("eleven rows");
    put(db, rehash({ ...last, sequence: 12, action: "approved", actor: OPERATOR }, last.hash));
    expect((await store.verifyAudit()).brokenAt).toEqual({
      sequence: 12,
      why: expect.stringMatching(/^added: .* 11 rows/),
    });
    await expect(store.transitionWrite(approval(id))).rejects.toThrow();
    expect((await store.readWrite(id))?.state).toBe("proposed");
  },
);

testSqlite("rows appended after the end was cut off do not hide the cut", async () => {
  const { store, db } = await tenRows();
  dropTriggers(db);
  db.exec("DELETE FROM audit WHERE sequence > 8");
  await propose(store);
  expect((await store.verifyAudit()).brokenAt).toMatchObject({ sequence: 9 });
});

/** A store whose audit log is long and whole, and the write that its rows are about. */
const longLog = async (rows: number) => {
  const dataDir = temporaryDirectory();
  const before = await openTestStore({ dataDir });
  const { id } = await propose(before);
  const [first] = await before.readAudit({ limit: 1 });
  await before.close();
  if (!first) throw new Error("one was proposed");
  const db = attacker(dataDir);
  db.transaction(() => {
    let last = first;
    for (let sequence = 2; sequence <= rows; sequence++) {
      last = rehash({ ...last, sequence, action: "shown" }, last.hash);
      put(db, last);
    }
    db.prepare("UPDATE meta SET value = ? WHERE key = 'audit_rows'").run(rows);
    db.prepare("UPDATE meta SET value = ? WHERE key = 'audit_head'").run(last.hash);
  })();
  const store = await openTestStore({ dataDir });
  return { store, db, id };
};

testSqlite("a long log is verified in many turns, with other commits in between", async () => {
  const { store, db, id } = await longLog(5000);
  let turns = 0;
  let isDone = false;
  const verified = store.verifyAudit().finally(() => {
    isDone = true;
  });
  const approved = store.transitionWrite(approval(id));
  while (!isDone) {
    turns++;
    await nextTurn();
  }
  expect((await approved)?.kind).toBe("done");
  expect(await verified).toMatchObject({ ok: true, rows: 5001 });
  expect(turns).toBeGreaterThanOrEqual(10);

  dropTriggers(db);
  db.exec("UPDATE audit SET digest = 'x' WHERE sequence = 4999");
  expect((await store.verifyAudit()).brokenAt?.sequence).toBe(4999);
});

testSqlite("a verification fails if the store is closed during it", async () => {
  const { store } = await longLog(1000);
  const verified = store.verifyAudit();
  await store.close();
  await expect(verified).rejects.toMatchObject({ code: "unusable" });
});
