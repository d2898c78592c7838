import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import Database from "better-sqlite3";
import { expect, onTestFinished, test } from "vitest";
import { migrate, readMigrations } from "../../src/store/sqlite/migrate.ts";
import { temporaryDirectory } from "../support/store.ts";

const memory = () => {
  const db = new Database(":memory:");
  onTestFinished(() => {
    db.close();
  });
  return db;
};
const version = (db: Database.Database) => db.pragma("user_version", { simple: true });

test("the migrations of this version apply to an empty database, once", () => {
  const db = memory();
  const migrations = readMigrations();
  migrate(db, migrations);
  migrate(db, migrations);
  expect(version(db)).toBe(migrations.length);
});

test("each migration builds on the one before it, and one that fails leaves nothing behind", () => {
  const db = memory();
  const first = { version: 1, sql: "CREATE TABLE a (x)" };
  const second = { version: 2, sql: "ALTER TABLE a ADD COLUMN y; INSERT INTO a VALUES (1, 2)" };
  migrate(db, [first]);
  expect(() =>
    migrate(db, [first, second, { version: 3, sql: "CREATE TABLE b (x); INSERT INTO nowhere VALUES (1)" }]),
  ).toThrow("nowhere");
  expect(version(db)).toBe(2);
  expect(db.prepare("SELECT * FROM a").all()).toEqual([{ x: 1, y: 2 }]);
  expect(() => db.prepare("SELECT * FROM b")).toThrow();
});

test("migrations are read in numeric order, and a missing number is a defect", () => {
  const directory = temporaryDirectory();
  const write = (name: string) => writeFileSync(join(directory, name), `-- ${name}`);
  for (const name of ["0002_b.sql", "0001_a.sql", "notes.txt"]) write(name);
  const url = pathToFileURL(`${directory}/`);
  expect(readMigrations(url).map(({ sql }) => sql)).toEqual(["-- 0001_a.sql", "-- 0002_b.sql"]);
  write("0004_d.sql");
  expect(() => readMigrations(url)).toThrow("0004_d.sql");
});
