import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { runHere } from "../support/cli.ts";
import { startTestControl, temporaryDirectory } from "../support/control.ts";
import { numbered, numbersOf } from "../support/store.ts";
import { approval, propose } from "../support/stored-write.ts";

const everything = { after: 0, limit: 1000 };

const hidden = (directory: string) => readdirSync(directory).filter((name) => name.startsWith("."));

const operate = (control: { sockets: { operator: string } }, ...args: string[]) =>
  runHere(["--socket", control.sockets.operator, ...args]);

test("a backup made during writes is complete, readable by its owner only, and leaves no other files", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const file = join(directory, "backup.db");
  await control.append(numbered(1));
  let isDone = false;
  const writing = (async () => {
    for (let n = 2; !isDone; n++) await control.append(numbered(n));
  })();
  const { code, stdout } = await operate(control, "backup", file);
  isDone = true;
  await writing;
  expect({ code, answer: JSON.parse(stdout) }).toEqual({ code: 0, answer: { file } });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["backup.db"]);
  expect(hidden(control.directory)).toEqual([]);
  const db = new Database(file, { readonly: true });
  const sequences = db.prepare<[], number>("SELECT sequence FROM events ORDER BY sequence").pluck().all();
  expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  expect(sequences.length).toBeGreaterThan(0);
  db.close();
});

test("a backup never overwrites a file, and a failed one leaves none", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const file = join(directory, "backup.db");
  writeFileSync(file, "mine");
  const refused = await operate(control, "backup", file);
  expect({ code: refused.code, ...JSON.parse(refused.stdout) }).toMatchObject({ code: "file_exists" });
  expect(readFileSync(file, "utf8")).toBe("mine");
  const agent = await runHere(["--socket", control.sockets.agent, "backup", join(directory, "b.db")]);
  expect(JSON.parse(agent.stdout)).toMatchObject({ code: "operator_only" });
  expect((await operate(control, "backup", join(directory, "none", "b.db"))).code).toBe(1);
  expect(readdirSync(directory)).toEqual(["backup.db"]);
  expect(hidden(control.directory)).toEqual([]);
});

test("a backup to a link is refused, even a dangling one, and nothing is created behind it", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const file = join(directory, "backup.db");
  symlinkSync(join(directory, "elsewhere"), file);
  const { stdout } = await operate(control, "backup", file);
  expect(JSON.parse(stdout)).toMatchObject({ code: "file_exists" });
  expect(readdirSync(directory)).toEqual(["backup.db"]);
});

test("restoring into a directory whose database is a link is refused, and the link's target is unchanged", async () => {
  const directory = await temporaryDirectory();
  const dataDir = join(directory, "data");
  mkdirSync(dataDir);
  const kept = join(directory, "kept");
  for (const path of [kept, join(directory, "backup.db")]) writeFileSync(path, "mine");
  symlinkSync(kept, join(dataDir, "nexusd.db"));
  const { code, stdout } = await runHere(["restore", join(directory, "backup.db"), "--data-dir", dataDir]);
  expect([code, JSON.parse(stdout).detail]).toEqual([
    1,
    expect.stringContaining("nexusd.db in it is a link"),
  ]);
  expect([readFileSync(kept, "utf8"), readdirSync(dataDir)]).toEqual(["mine", ["nexusd.db"]]);
});

test("the remains of a backup by a killed daemon are removed at the next start", async () => {
  const dataDir = await temporaryDirectory();
  writeFileSync(join(dataDir, ".nexusd-backup-0123"), "half");
  await (await openStore({ dataDir, clock: systemClock })).close();
  expect(hidden(dataDir)).toEqual([]);
});

test("a restored backup has its data under a new epoch, and the present database is kept aside", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const file = join(directory, "backup.db");
  const soon = { expiresAt: "9999-01-01T00:00:00.000Z" };
  await control.append(numbered(1), numbered(2));
  const { id } = await propose(control.store, soon);
  await control.store.transitionWrite(approval(id));
  await operate(control, "backup", file);
  const dataDir = join(directory, "data");
  mkdirSync(dataDir, { mode: 0o700 });
  const present = await openStore({ dataDir, clock: systemClock });
  await present.commitObservation({ source: "test", events: [numbered(7)] });
  await present.close();

  const { code, stdout } = await runHere(["restore", file, "--data-dir", dataDir]);
  expect(code, stdout).toBe(0);
  const { keptAside, epoch, doubtfulWrites } = JSON.parse(stdout);
  expect(doubtfulWrites).toEqual([id]);
  expect(readdirSync(dataDir).filter((name) => /^\.|-(wal|shm)$/.test(name))).toEqual([]);
  const store = await openStore({ dataDir, clock: systemClock });
  expect(store.epoch).toBe(epoch);
  expect([control.store.epoch, present.epoch]).not.toContain(epoch);
  const page = await store.readEvents({ ...everything, types: ["service.*"] });
  expect(numbersOf(page)).toEqual([1, 2]);
  expect(await store.readWrite(id)).toMatchObject({ state: "unknown" });
  expect(await store.verifyAudit()).toMatchObject({ ok: true });
  await store.close();

  const aside = new Database(keptAside, { readonly: true });
  expect(aside.prepare("SELECT count(*) FROM events").pluck().get()).toBe(1);
  aside.close();
});

test("restoring keeps data that is only in the -wal file of the present database", async () => {
  const control = await startTestControl();
  const dataDir = await temporaryDirectory();
  const file = join(dataDir, "backup.db");
  await operate(control, "backup", file);
  await control.append(numbered(1));
  // As a killed daemon leaves it.
  for (const part of ["nexusd.db", "nexusd.db-wal"])
    writeFileSync(join(dataDir, part), readFileSync(join(control.directory, part)));
  const { stdout } = await runHere(["restore", file, "--data-dir", dataDir]);
  const aside = new Database(JSON.parse(stdout).keptAside, { readonly: true });
  expect(aside.prepare("SELECT count(*) FROM events").pluck().get()).toBe(1);
  aside.close();
});

test("nothing is restored while a daemon runs, or from a file that is damaged, newer or not a backup", async () => {
  const control = await startTestControl();
  const directory = await temporaryDirectory();
  const file = join(directory, "backup.db");
  await operate(control, "backup", file);
  const restore = async (from: string, dataDir = directory) => {
    const { code, stdout } = await runHere(["restore", from, "--data-dir", dataDir]);
    expect(code).toBe(1);
    return JSON.parse(stdout);
  };
  expect(await restore(file, control.directory)).toMatchObject({
    code: "locked",
    detail: expect.stringContaining("systemctl stop nexusd"),
  });
  const bytes = readFileSync(file);
  const half = join(directory, "half.db");
  writeFileSync(half, bytes.subarray(0, Math.floor(bytes.length / 2)));
  expect(await restore(half)).toMatchObject({ code: "corrupt" });
  const other = join(directory, "other.db");
  const db = new Database(other);
  db.exec("CREATE TABLE meta (key, value)");
  expect(await restore(other)).toMatchObject({ code: "corrupt" });
  db.pragma("user_version = 999");
  db.close();
  expect(await restore(other)).toMatchObject({ code: "newer_version" });
  expect(existsSync(join(directory, "nexusd.db"))).toBe(false);
  expect(hidden(directory)).toEqual([]);
});

test("a backup can replace a damaged database, which is kept as it is", async () => {
  const control = await startTestControl();
  const dataDir = await temporaryDirectory();
  const file = join(dataDir, "backup.db");
  await operate(control, "backup", file);
  const path = join(dataDir, "nexusd.db");
  const garbage = "not a database, but long enough to be taken for one ".repeat(100);
  writeFileSync(path, garbage);
  writeFileSync(`${path}-wal`, "its log");
  const { code, stdout } = await runHere(["restore", file, "--data-dir", dataDir]);
  expect(code, stdout).toBe(0);
  const { keptAside } = JSON.parse(stdout);
  expect(readFileSync(keptAside, "utf8")).toBe(garbage);
  expect(existsSync(`${path}-wal`)).toBe(false);
  await (await openStore({ dataDir, clock: systemClock })).close();
});
