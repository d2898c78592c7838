// What a forger who knows the chain can do to bodies, rows and single cells of the database, and what finds it.

import { copyFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { GENESIS_HASH } from "../../src/contract/audit.ts";
import { coversOf } from "../../src/contract/audit-cover.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";
import { approval, NEXUSD, proposedWrite, t } from "../support/stored-write.ts";
import { append, attack, insertRow, setHead, written, writtenLongAgo } from "../support/tampered.ts";

test("a write that was swapped for another at the moment of its claim is not executed", async () => {
  const dataDir = await written();
  const store = await openTestStore({ dataDir });
  await store.transitionWrite(approval("w2"));
  const claimed = (await store.claimNextWrite(NEXUSD, t(9))) ?? expect.fail("it was approved");
  await store.countWriteAttempt("w2");
  expect(await store.whyNotApproved("w2", claimed)).toBeUndefined();
  const other = proposedWrite({ id: "w2", input: { orderId: "another" } });
  for (const changes of [
    { request: other.request, digest: other.digest },
    { preview: other.preview },
    { target: "x" },
  ])
    expect(await store.whyNotApproved("w2", { ...claimed, ...changes })).toMatch(
      /changed since it was claimed/,
    );
});

describe("a body", () => {
  const GONE = `request = '', precondition = NULL, result = NULL, body_removed_at = '${t(5)}',
    preview = '{"method":"REMOVED","url":"","headers":[],"body":null}'`;

  test.each<[what: string, sql: string, writeId: string, why: RegExp]>([
    [
      "removed by SQL",
      `UPDATE writes SET ${GONE} WHERE id = 'w1'`,
      "w1",
      /the preview, the precondition.*the request|the request/,
    ],
    ["put back", `UPDATE writes SET request = '{}' WHERE id = 'w3'`, "w3", /the request/],
    ["said to be there", "UPDATE writes SET body_removed_at = NULL WHERE id = 'w3'", "w3", /body removed at/],
    [
      "of another write",
      `UPDATE writes SET request = (SELECT request FROM writes WHERE id = 'w2') WHERE id = 'w1'`,
      "w1",
      /the request/,
    ],
  ])("%s is found", async (_what, sql, writeId, why) => {
    const dataDir = await writtenLongAgo();
    attack(dataDir, (db) => db.exec(sql));
    const { ok, changed } = await (await openTestStore({ dataDir })).verifyAudit();
    expect([ok, changed.map((one) => one.writeId)]).toEqual([false, [writeId]]);
    expect(changed[0]?.why).toMatch(why);
  });

  test("whose removal is forged with a matching row, of an open write, is found, and the write counts as not approved", async () => {
    const dataDir = await written();
    const before = await openTestStore({ dataDir });
    await before.transitionWrite(approval("w2"));
    const { digest } = (await before.readWrite("w2")) ?? { digest: "" };
    await before.close();
    const set = { request: "", body_removed_at: t(5) };
    attack(dataDir, (db) => {
      db.exec(`UPDATE writes SET request = '', body_removed_at = '${t(5)}' WHERE id = 'w2'`);
      append(db, { action: "body_removed", digest, covers: coversOf(set, undefined), actor: NEXUSD });
    });
    const store = await openTestStore({ dataDir });
    const { ok, brokenAt, changed } = await store.verifyAudit();
    expect([ok, brokenAt]).toEqual([false, undefined]);
    expect(changed).toEqual([
      { writeId: "w2", why: "changed: its body, removed while it was approved (row 8)" },
    ]);
    expect(await store.whyNotApproved("w2")).toMatch(/removed while it was approved/);
  });

  test("of an approved write, replaced together with a matching row of another digest, is found, and it is not executed", async () => {
    const dataDir = await written();
    const before = await openTestStore({ dataDir });
    await before.transitionWrite(approval("w2"));
    const { digest } = (await before.readWrite("w2")) ?? { digest: "" };
    await before.close();
    const request = '{"input":{"orderId":"another"},"operation":"nexus.orders.update_status"}';
    attack(dataDir, (db) => {
      db.prepare("UPDATE writes SET request = ? WHERE id = 'w2'").run(request);
      append(db, { action: "shown", digest, covers: coversOf({ request }, undefined) });
    });
    const store = await openTestStore({ dataDir });
    expect(await store.verifyAudit()).toMatchObject({ ok: false, changed: [{ writeId: "w2" }] });
    expect(await store.whyNotApproved("w2")).toMatch(/the request/);
  });
});

describe("rows of the audit log", () => {
  test("that were swapped are found", async () => {
    const dataDir = await written();
    attack(dataDir, (db) =>
      db.exec(`UPDATE audit SET sequence = 99 WHERE sequence = 2; UPDATE audit SET sequence = 2 WHERE sequence = 3;
        UPDATE audit SET sequence = 3 WHERE sequence = 99`),
    );
    const { brokenAt } = await (await openTestStore({ dataDir })).verifyAudit();
    expect(brokenAt?.sequence).toBe(2);
  });

  test("that were removed from the middle, with all later rows made to match, are found by what they were about", async () => {
    const dataDir = await written();
    const before = await openTestStore({ dataDir });
    const rows = (await before.readAudit({ limit: 100 })).filter(({ action }) => action !== "approved");
    const noted = (await before.verifyAudit()).head ?? "";
    await before.close();
    attack(dataDir, (db) => {
      db.exec("DELETE FROM audit; UPDATE meta SET value = 0 WHERE key = 'audit_rows'");
      let previousHash = GENESIS_HASH;
      for (const [index, row] of rows.entries())
        previousHash = insertRow(db, { ...row, sequence: index + 1, previousHash });
      setHead(db, rows.length, previousHash);
    });
    const store = await openTestStore({ dataDir });
    const { brokenAt, changed } = await store.verifyAudit();
    expect(brokenAt, "each row follows the one before").toBeUndefined();
    expect(changed.map(({ why }) => why).join()).toMatch(/from proposed to executing .* nexusd never makes/);
    expect(changed.map(({ why }) => why).join()).toMatch(/the event 2 was added/);
    expect(await store.verifyAudit(noted)).toMatchObject({ ok: false, noted: { row: null } });
  });
});

test("no cell of a write, of its events or of the audit log can be changed unnoticed", async () => {
  const whole = await writtenLongAgo();
  const cells: { table: string; rowid: number; column: string }[] = [];
  const source = new Database(join(whole, "nexusd.db"));
  try {
    for (const table of ["writes", "audit", "events"])
      for (const column of source.pragma(`table_info(${table})`) as { name: string }[])
        for (const rowid of source.prepare<[], number>(`SELECT rowid FROM ${table}`).pluck().all())
          cells.push({ table, rowid, column: column.name });
  } finally {
    source.close();
  }
  expect(cells.length).toBeGreaterThan(200);
  const unnoticed: string[] = [];
  for (const { table, rowid, column } of cells) {
    const dataDir = temporaryDirectory();
    copyFileSync(join(whole, "nexusd.db"), join(dataDir, "nexusd.db"));
    attack(dataDir, (db) => {
      const old: unknown = db.prepare(`SELECT ${column} FROM ${table} WHERE rowid = ?`).pluck().get(rowid);
      const value =
        typeof old === "number" ? old + 1000 : old === null ? (isCount(column) ? 7 : "x") : `${old}x`;
      // Some are what they are by the schema.
      try {
        db.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = ?`).run(value, rowid);
      } catch (error) {
        if (!(error instanceof Database.SqliteError)) throw error;
        expect(error.code).toMatch(/^SQLITE_CONSTRAINT/);
        db.prepare("UPDATE audit SET at = 'x' WHERE sequence = 1").run();
      }
    });
    const store = await openStore({ dataDir, clock: systemClock }).catch(() => undefined);
    const verdict = await store?.verifyAudit().catch(() => undefined);
    if (verdict?.ok) unnoticed.push(`${table}.${column} of row ${rowid}`);
    await store?.close();
  }
  // The order of its approval says nothing of a write that was never approved: it is not executed by it.
  expect(unnoticed).toEqual(["writes.approval_order of row 2", "writes.approval_order of row 3"]);
}, 180_000);

/** Columns of numbers, in a table that is strict about it. */
const isCount = (column: string) => column === "approval_order" || column === "attempts";
