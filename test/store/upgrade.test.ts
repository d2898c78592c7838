// Databases as earlier versions wrote them, opened by this one.

import { join } from "node:path";
import Database from "better-sqlite3";
import { ulid } from "ulid";
import { describe, expect, test } from "vitest";
import { auditHash } from "../../src/contract/audit.ts";
import type { AuditAction, Write } from "../../src/contract/writes.ts";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { systemClock } from "../../src/core/clock.ts";
import { migrate, readMigrations } from "../../src/store/sqlite/migrate.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { type NewRow, toRow } from "../../src/store/write-rows.ts";
import { numbersOf, openTestStore, temporaryDirectory } from "../support/store.ts";
import { AGENT, approval, OPERATOR, propose, proposedWrite, T0, t } from "../support/stored-write.ts";

const EVENTS = 60;
const INSIGHTS = 20;
const PRUNED = 10;
const GENESIS = "0".repeat(64);

/** A row of every table of the schema `version`, by the statements of its time. */
function written(version: 1 | 2) {
  const dataDir = temporaryDirectory();
  const db = new Database(join(dataDir, "nexusd.db"));
  migrate(db, readMigrations().slice(0, version));
  const epoch = ulid();
  db.prepare("INSERT INTO meta (key, value) VALUES ('epoch', ?), ('probes', 7)").run(epoch);
  const insert = db.prepare(
    "INSERT INTO events (id, source, type, subject, time, data, insight_type) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  for (let n = 1; n <= EVENTS; n++) {
    const data = JSON.stringify({ service: "nex", state: `${n}`, big: 1 });
    const exact = data.replace('"big":1', '"big":12345678901234567890');
    insert.run(ulid(n), "/test", "nexusd.service.recovered", null, T0, exact, null);
  }
  for (let n = 1; n <= INSIGHTS; n++) {
    const insight = { id: n, type: "risk", confidence_level: "high", content: `word${n}` };
    const data = JSON.stringify({ insight, workspace: null, origin: "live" });
    insert.run(ulid(EVENTS + n), "/nex/insights", "nexusd.nex.insight.received", `${n}`, t(n), data, "risk");
  }
  db.prepare("DELETE FROM events WHERE sequence <= ?").run(PRUNED);
  for (const n of [1, 2]) {
    db.prepare("INSERT INTO cursors VALUES (?, ?, ?)").run(`cursor-${n}`, JSON.stringify({ after: n }), T0);
    db.prepare("INSERT INTO cursors VALUES (?, ?, ?)").run(`messaging:session-${n}`, "{}", T0);
    db.prepare("INSERT INTO records VALUES ('kind', ?, ?, ?)").run(`key-${n}`, JSON.stringify({ n }), T0);
    db.prepare("INSERT INTO secrets VALUES (?, ?)").run(`secret-${n}`, `value-${n}`);
    db.prepare("INSERT INTO dedupe VALUES (?, ?)").run(Buffer.alloc(16, n), 20_000);
  }
  const consumer = db.prepare("INSERT INTO consumers VALUES (?, ?, ?, ?, ?)");
  consumer.run("all", 12, null, T0, t(1));
  consumer.run("some", 40, '["nex.*"]', T0, t(2));
  const writes = version === 2 ? insertWrites(db) : [];
  db.close();
  return { dataDir, epoch, writes };
}

const STEPS: Record<string, AuditAction[]> = {
  proposed: ["proposed"],
  approved: ["proposed", "approved"],
  rejected: ["proposed", "rejected"],
  succeeded: ["proposed", "approved", "executing", "succeeded"],
  unknown: ["proposed", "approved", "executing", "unknown"],
};

/** The columns of that time. */
const withoutNewer = ({ account, token_hash, ...row }: NewRow) => row;

function insertWrites(db: Database.Database): Write[] {
  const decided = { decidedAt: t(1), decidedBy: OPERATOR };
  const done = { executingAt: t(2), finishedAt: t(3), attempts: 1 };
  const writes = [
    proposedWrite({ id: "w1", idempotencyKey: "k", reason: "because", agent: "me" }),
    proposedWrite({ id: "w2", state: "approved", ...decided }),
    proposedWrite({ id: "w3", state: "rejected", note: "no", ...decided }),
    proposedWrite({
      id: "w4",
      state: "succeeded",
      result: { output: { ok: true } },
      ...decided,
      ...done,
    }),
    proposedWrite({
      id: "w5",
      state: "unknown",
      result: { error: { code: "timeout", message: "no answer" } },
      ...decided,
      ...done,
    }),
  ];
  let row = { sequence: 0, hash: GENESIS };
  const audit = db.prepare(
    "INSERT INTO audit (sequence, at, action, write_id, digest, via, user, detail, previous_hash, hash) VALUES (?,?,?,?,?,?,?,?,?,?)",
  );
  for (const write of writes) {
    const columns = Object.entries({
      ...withoutNewer(toRow(write, null)),
      approval_order: STEPS[write.state]?.includes("approved") ? row.sequence + 2 : null,
    });
    db.prepare(
      `INSERT INTO writes (${columns.map(([name]) => name)}) VALUES (${columns.map(() => "?")})`,
    ).run(...columns.map(([, value]) => value));
    for (const action of STEPS[write.state] ?? []) {
      const actor = action === "proposed" ? AGENT : OPERATOR;
      const detail = canonicalJson({ operation: write.operation });
      const fields = { sequence: row.sequence + 1, at: T0, action, writeId: write.id, digest: write.digest };
      const next = { ...fields, actor, detail, previousHash: row.hash };
      const hash = auditHash(next);
      audit.run(
        next.sequence,
        T0,
        action,
        write.id,
        write.digest,
        actor.via,
        actor.user,
        detail,
        row.hash,
        hash,
      );
      row = { sequence: next.sequence, hash };
    }
  }
  const move = db.prepare("UPDATE meta SET value = ? WHERE key = ?");
  move.run(row.sequence, "audit_rows");
  move.run(row.hash, "audit_head");
  return writes;
}

describe.each([1, 2] as const)("a database of schema %i, opened by this version,", (version) => {
  test("has lost nothing, and its audit chain is whole", async () => {
    const { dataDir, epoch, writes } = written(version);
    // Twice: what the first opening changes must not be lost at the second.
    await (await openStore({ dataDir, clock: systemClock })).close();
    const store = await openTestStore({ dataDir });
    expect(store.epoch).toBe(epoch);
    const page = await store.readEvents({ after: 0, limit: 1000 });
    const latest = EVENTS + INSIGHTS;
    expect(page).toMatchObject({ oldest: PRUNED + 1, latest, gap: { from: 1, to: PRUNED } });
    expect(page.events.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: latest - PRUNED }, (_, index) => PRUNED + 1 + index),
    );
    expect(numbersOf({ events: page.events.slice(0, 2) })).toEqual([PRUNED + 1, PRUNED + 2]);
    expect(page.events[0]?.json).toContain('"big":12345678901234567890');

    for (const n of [1, 2]) {
      expect(await store.readCursor(`cursor-${n}`)).toEqual({ value: { after: n }, updatedAt: T0 });
      expect(await store.readCursor(`messaging:session-${n}`), "which its record holds").toBeUndefined();
      expect(await store.readRecord("kind", `key-${n}`)).toMatchObject({ value: { n }, updatedAt: T0 });
      expect(await store.readSecret(`secret-${n}`)).toBe(`value-${n}`);
    }
    expect(await store.readConsumers({ limit: 10 })).toEqual([
      { name: "all", position: 12, types: null, isBound: false, createdAt: T0, updatedAt: t(1) },
      { name: "some", position: 40, types: ["nex.*"], isBound: false, createdAt: T0, updatedAt: t(2) },
    ]);
    expect(await store.searchEvents({ limit: 100, type: "risk" })).toHaveLength(INSIGHTS);

    expect(await store.readWrites({ limit: 100 })).toEqual(writes.toReversed());
    expect(await store.verifyAudit()).toMatchObject({ ok: true, rows: version === 2 ? 13 : 0 });
    expect(await store.readAudit({ limit: 100 })).toHaveLength(version === 2 ? 13 : 0);
  });

  test("keeps its deduplication keys and cursors", async () => {
    const { dataDir } = written(version);
    const store = await openTestStore({ dataDir });
    const { id } = await propose(store, { id: "w9" });
    expect((await store.transitionWrite(approval(id)))?.kind).toBe("done");
    expect((await store.readEvents({ after: 0, limit: 1 })).latest).toBe(EVENTS + INSIGHTS + 2);
    expect(await store.verifyAudit()).toMatchObject({ ok: true });
    await store.close();
    const db = new Database(join(dataDir, "nexusd.db"), { readonly: true });
    expect(db.prepare("SELECT count(*) FROM dedupe").pluck().get()).toBe(2);
    db.close();
  });
});
