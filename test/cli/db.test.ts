import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { exportDatabase } from "../../src/store/sqlite/inspect.ts";
import { runHere } from "../support/cli.ts";
import { message, startTestControl } from "../support/control.ts";
import { numbered } from "../support/store.ts";
import { propose, rejection } from "../support/stored-write.ts";

async function filled() {
  const control = await startTestControl();
  await control.append(numbered(1), numbered(2), numbered(3), numbered(4));
  const { id } = await propose(control.store);
  await control.store.transitionWrite(rejection(id, "no"));
  const db = async (...args: string[]) => await runHere(["db", ...args, "--data-dir", control.directory]);
  const change = (sql: string) => {
    const other = new Database(join(control.directory, "nexusd.db"));
    other.exec(sql);
    other.close();
  };
  return { control, id, db, change };
}

test("a sound database is reported as sound while its daemon runs", async () => {
  const { db } = await filled();
  const { code, stdout } = await db("check");
  expect(code).toBe(0);
  expect(JSON.parse(stdout).findings).toMatchObject([
    { check: "integrity", ok: true },
    { check: "foreign keys", ok: true },
    { check: "sequence", ok: true, detail: "events 1 to 6" },
    { check: "audit chain", ok: true, detail: "2 rows, unbroken" },
  ]);
});

test.each<[why: string, sql: string, wrong: Record<string, string>]>([
  [
    "an event within the log is missing",
    "DELETE FROM events WHERE sequence = 3",
    { sequence: "1 events are missing after 2" },
  ],
  [
    // They are the events of a write, which the audit chain also covers: both are right.
    "the newest events are missing, a write's among them",
    "DELETE FROM events WHERE sequence > 4",
    { sequence: "events 5 to 6 are missing", "audit chain": "its event 5 was removed" },
  ],
  [
    "a row of the audit log was changed",
    "DROP TRIGGER audit_is_never_changed; UPDATE audit SET detail = '[]' WHERE sequence = 2",
    { "audit chain": "row 2" },
  ],
])("a database in which %s is reported, with each place that shows it", async (_, sql, wrong) => {
  const { db, change } = await filled();
  change(sql);
  const { code, stdout, stderr } = await db("check");
  expect(code).toBe(1);
  const found = JSON.parse(stdout).findings.filter(({ ok }: { ok: boolean }) => !ok);
  const expected = Object.entries(wrong).map(([check, why]) => ({
    check,
    detail: expect.stringContaining(why),
  }));
  expect(found).toMatchObject(expected);
  expect(stderr).toContain("nexusctl restore");
});

test("a directory without a database is an error that names it", async () => {
  const { code, stdout } = await runHere(["db", "check", "--data-dir", "/nonexistent"]);
  expect({ code, problem: JSON.parse(stdout) }).toMatchObject({
    code: 1,
    problem: { detail: expect.stringContaining("/nonexistent") },
  });
});

test("an export has every event, write and audit row, one per line, on stdout or in a new file", async () => {
  const { control, id, db } = await filled();
  const { stdout } = await db("export");
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const kinds = lines.map((line) => Object.keys(line).join());
  expect(kinds).toEqual([...Array(6).fill("event"), "write", "audit", "audit"]);
  expect(lines.slice(0, 6).map(({ event }) => event.sequence)).toEqual(["1", "2", "3", "4", "5", "6"]);
  expect(lines[6].write).toMatchObject({ id, state: "rejected" });
  expect(lines[8].audit).toMatchObject({ sequence: 2, action: "rejected", writeId: id });
  const file = join(control.directory, "export.ndjson");
  expect((await db("export", file)).code).toBe(0);
  expect(readFileSync(file, "utf8")).toBe(stdout);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await db("export", file)).code).toBe(1);
  expect(readdirSync(control.directory).filter((name) => name.includes(".part-"))).toEqual([]);
});

test("an export that stalls blocks nothing: it is a snapshot, and the write-ahead log stays small", async () => {
  const { control } = await filled();
  const lines: string[] = [];
  let readOn = () => {};
  const stalled = new Promise<void>((resolve) => {
    readOn = resolve;
  });
  let hasBegun = () => {};
  const begun = new Promise<void>((resolve) => {
    hasBegun = resolve;
  });
  const exported = exportDatabase(join(control.directory, "nexusd.db"), async (line) => {
    lines.push(line);
    hasBegun();
    await stalled;
  });
  await begun;
  for (let n = 0; n < 48; n++) await control.append(message("session-1", { text: "x".repeat(2 ** 21) }));
  expect(statSync(join(control.directory, "nexusd.db-wal")).size).toBeLessThan(64 * 2 ** 20);
  readOn();
  await exported;
  expect(lines.filter((line) => line.startsWith('{"event"'))).toHaveLength(6);
  expect(readdirSync(control.directory).filter((name) => name.startsWith(".nexusd-backup"))).toEqual([]);
});
