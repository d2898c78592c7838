// Somebody who can write to the database file changes what was decided, and what finds it.

import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { auditHash, GENESIS_HASH } from "../../src/contract/audit.ts";
import type { AuditRow } from "../../src/contract/writes.ts";
import { openTestStore } from "../support/store.ts";
import {
  AGENT,
  approval,
  NEXUSD,
  NO_REJECTION,
  OPERATOR,
  proposedWrite,
  t,
} from "../support/stored-write.ts";
import { append, attack, hashOf, setHead, written } from "../support/tampered.ts";

const verifyAfter = async (work: (db: Database.Database) => void, head?: string) => {
  const dataDir = await written();
  attack(dataDir, work);
  return (await openTestStore({ dataDir })).verifyAudit(head);
};

const ONE = "WHERE id = 'w1'";

test.each<[what: string, sql: string, why: RegExp]>([
  ["reason", `UPDATE writes SET reason = 'another' ${ONE}`, /the reason/],
  ["reason taken away", `UPDATE writes SET reason = NULL ${ONE}`, /the reason/],
  ["agent", `UPDATE writes SET agent = 'somebody' ${ONE}`, /the agent/],
  [
    "preview",
    `UPDATE writes SET preview = replace(preview, 'nexus.test', 'nexus.evil') ${ONE}`,
    /the preview/,
  ],
  ["request", `UPDATE writes SET request = replace(request, 'orderId', 'orderID') ${ONE}`, /the request/],
  ["digest", `UPDATE writes SET digest = lower(hex(randomblob(32))) ${ONE}`, /the digest/],
  ["result", `UPDATE writes SET result = '{"output":{"order":"lost"}}' ${ONE}`, /the result/],
  ["result taken away", `UPDATE writes SET result = NULL ${ONE}`, /the result/],
  ["state", `UPDATE writes SET state = 'failed' ${ONE}`, /the state \(failed instead of succeeded\)/],
  ["note", `UPDATE writes SET note = 'never seen' ${ONE}`, /the note/],
  ["decider", `UPDATE writes SET decided_by = '{"via":"policy","user":null}' ${ONE}`, /the decided by/],
  ["time of the decision", `UPDATE writes SET decided_at = '${t(99)}' ${ONE}`, /the decided at/],
  ["count of requests", `UPDATE writes SET attempts = 0 ${ONE}`, /the attempts/],
  ["outcome", `UPDATE writes SET outcome = 'failed' ${ONE}`, /the outcome/],
  ["precondition", `UPDATE writes SET precondition = '{}' ${ONE}`, /the precondition/],
  ["service", `UPDATE writes SET service = 'nex' ${ONE}`, /the service/],
  ["expiry", `UPDATE writes SET expires_at = '${t(9)}' ${ONE}`, /the expires at/],
  ["sign of being shown", `UPDATE writes SET shown_at = NULL ${ONE}`, /the shown at/],
  ["account", `UPDATE writes SET account = '{}' ${ONE}`, /the account/],
  ["order of approvals", `UPDATE writes SET approval_order = 1 ${ONE}`, /the order of its approval/],
  ["whole write, removed", `DELETE FROM writes ${ONE}`, /it was removed/],
])("a changed %s of a write is found and named", async (_what, sql, why) => {
  const verdict = await verifyAfter((db) => db.exec(sql));
  expect(verdict).toMatchObject({
    ok: false,
    changedCount: 1,
    changed: [{ writeId: "w1", why: expect.stringMatching(why) }],
  });
  expect(verdict.brokenAt, "the chain itself is whole").toBeUndefined();
});

test("a write that was inserted into the table is found", async () => {
  const { changed } = await verifyAfter((db) => {
    db.exec(`CREATE TEMP TABLE copy AS SELECT * FROM writes ${ONE}; UPDATE copy SET id = 'w0';
      INSERT INTO writes SELECT * FROM copy`);
  });
  expect(changed).toEqual([
    { writeId: "w0", why: "changed: the whole write, which the audit log does not know" },
  ]);
});

const EVENT = "WHERE type = 'nexusd.write.approved'";

test.each<[what: string, sql: string, why: RegExp]>([
  [
    "changed",
    `UPDATE events SET data = replace(data, 'checked', 'unseen') ${EVENT}`,
    /its event 2 was changed/,
  ],
  ["backdated", `UPDATE events SET time = '${t(-99)}' ${EVENT}`, /its event 2 was changed/],
  ["removed", `DELETE FROM events ${EVENT}`, /its event 2 was removed/],
  [
    "added",
    `INSERT INTO events (id, source, type, subject, time, data)
     SELECT id, '/writes/w2', type, subject, time, data FROM events ${EVENT}`,
    /the event 6 was added/,
  ],
])("an event of a write that was %s is found", async (_what, sql, why) => {
  const { ok, changed } = await verifyAfter((db) => db.exec(sql));
  expect([ok, changed.map((one) => one.why)]).toEqual([false, [expect.stringMatching(why)]]);
});

test("events that retention removed are not reported as missing", async () => {
  const dataDir = await written();
  const store = await openTestStore({ dataDir });
  await store.pruneEvents({ keep: 2 });
  expect((await store.readEvents({ after: 0, limit: 10 })).oldest).toBe(4);
  expect(await store.verifyAudit()).toMatchObject({ ok: true, changedCount: 0 });
});

test("a tail that was cut off, with corrected totals, is found by the writes and by the events", async () => {
  const { ok, brokenAt, changed } = await verifyAfter((db) => {
    db.exec("DELETE FROM audit WHERE sequence > 4");
    setHead(db, 4, hashOf(db, 4));
  });
  expect([ok, brokenAt]).toEqual([false, undefined]);
  expect(changed.map(({ writeId, why }) => `${writeId} ${why}`).toSorted()).toEqual([
    expect.stringMatching(/^w1 changed: the state \(succeeded instead of executing\)/),
    "w1 the event 4 was added: the audit log does not have it",
    "w2 changed: the whole write, which the audit log does not know",
    "w2 the event 5 was added: the audit log does not have it",
  ]);
});

/** Everything that tells of the second write taken back without a trace in the database. */
const forgetSecond = (db: Database.Database) => {
  db.exec("DELETE FROM audit WHERE sequence > 5; DELETE FROM writes WHERE id = 'w2'");
  db.exec("DELETE FROM events WHERE sequence > 4; UPDATE sqlite_sequence SET seq = 4");
  setHead(db, 5, hashOf(db, 5));
};

test("a database that was replaced by an older copy is found only by a head that was noted elsewhere", async () => {
  const dataDir = await written();
  const before = await openTestStore({ dataDir });
  const noted = (await before.verifyAudit()).head ?? "";
  await before.close();
  attack(dataDir, forgetSecond);
  const store = await openTestStore({ dataDir });
  expect(await store.verifyAudit(), "which SECURITY.md says").toMatchObject({ ok: true });
  expect(await store.verifyAudit(noted)).toMatchObject({ ok: false, noted: { head: noted, row: null } });
});

test("a chain that was recomputed, with its totals, does not contain the head that was noted", async () => {
  const dataDir = await written();
  const before = await openTestStore({ dataDir });
  const rows = await before.readAudit({ limit: 100 });
  const noted = (await before.verifyAudit()).head ?? "";
  await before.close();
  attack(dataDir, (db) => {
    let previousHash = GENESIS_HASH;
    for (const row of rows) {
      const forged: AuditRow = { ...row, previousHash, actor: { via: row.actor.via, user: "mallory" } };
      const hash = auditHash(forged);
      db.prepare("UPDATE audit SET user = 'mallory', previous_hash = ?, hash = ? WHERE sequence = ?").run(
        previousHash,
        hash,
        row.sequence,
      );
      previousHash = hash;
    }
    setHead(db, rows.length, previousHash);
  });
  const store = await openTestStore({ dataDir });
  expect((await store.verifyAudit()).brokenAt, "each row follows the one before").toBeUndefined();
  expect(await store.verifyAudit(noted)).toMatchObject({ ok: false, noted: { row: null } });
});

test("a head that was noted long ago is found at its row, even after rows before it were removed", async () => {
  const dataDir = await written();
  const store = await openTestStore({ dataDir });
  const rows = await store.readAudit({ limit: 100 });
  for (const { sequence, hash } of rows)
    expect(await store.verifyAudit(hash)).toMatchObject({ ok: true, noted: { head: hash, row: sequence } });
  await store.transitionWrite({ ...approval("w2"), to: "rejected" });
  const last = (await store.readAudit({ limit: 100 })).at(-1);
  if (!last) throw new Error("seven rows");
  await store.signOffAudit({ sequence: 5, hash: rows[4]?.hash ?? "", note: null }, OPERATOR, t(5));
  await store.pruneAudit(t(100), t(200));
  const hash = rows[4]?.hash ?? "";
  expect(await store.verifyAudit(hash)).toMatchObject({ ok: true, noted: { row: 5 } });
});

test.each<[what: string, changes: Partial<AuditRow>]>([
  ["that names another hash", { digest: "1".repeat(64), detail: '{"from":1,"note":null,"rows":3,"to":3}' }],
  ["that says nothing that can be read", { detail: "{}" }],
  ["of rows that are yet to come", { detail: '{"from":1,"note":null,"rows":70,"to":70}' }],
])("a forged checkpoint %s is found", async (_what, changes) => {
  const { ok, brokenAt } = await verifyAfter((db) =>
    append(db, { action: "checkpoint", writeId: "", ...changes }),
  );
  expect([ok, brokenAt]).toEqual([
    false,
    { sequence: 7, why: "changed: a checkpoint that does not sign off the rows before it" },
  ]);
});

test("a row that another program adds while nexusd runs is found, however well it matches", async () => {
  const dataDir = await written();
  const store = await openTestStore({ dataDir });
  const { digest } = (await store.readWrite("w2")) ?? { digest: "" };
  const db = new Database(join(dataDir, "nexusd.db"));
  onTestFinished(() => {
    db.close();
  });
  append(db, { digest });
  db.exec("UPDATE writes SET state = 'approved', approval_order = 7 WHERE id = 'w2'");
  // An honest row behind it hides nothing.
  await store.proposeWrite(proposedWrite({ id: "w3" }), AGENT, NO_REJECTION);
  expect(await store.verifyAudit()).toMatchObject({
    ok: false,
    brokenAt: { sequence: 7, why: expect.stringMatching(/^added or replaced by something other/) },
  });
  expect(await store.whyNotApproved("w2")).toMatch(/row 7 .* written by something other than this nexusd/);
});

test("an approval by SQL alone does not count", async () => {
  const dataDir = await written();
  attack(dataDir, (db) =>
    db.exec(`UPDATE writes SET state = 'approved', approval_order = 3, decided_at = '${t(1)}',
      decided_by = '{"via":"operator.sock","user":"ops"}' WHERE id = 'w2'`),
  );
  const store = await openTestStore({ dataDir });
  expect((await store.claimNextWrite(NEXUSD, t(9)))?.id).toBe("w2");
  expect(await store.whyNotApproved("w2")).toMatch(/from proposed to executing .* nexusd never makes/);
});

test("a write that was changed after its approval does not count as approved, and an unchanged one does", async () => {
  const dataDir = await written();
  const before = await openTestStore({ dataDir });
  await before.transitionWrite(approval("w2"));
  expect(await before.whyNotApproved("w2")).toBeUndefined();
  await before.claimNextWrite(NEXUSD, t(9));
  expect(await before.whyNotApproved("w2")).toBeUndefined();
  expect(await before.whyNotApproved("nobody")).toMatch(/does not exist/);
  await before.close();
  attack(dataDir, (db) => db.exec("UPDATE writes SET reason = 'urgent' WHERE id = 'w2'"));
  const store = await openTestStore({ dataDir });
  expect(await store.whyNotApproved("w2")).toBe("not as the audit log says: the reason");
});
