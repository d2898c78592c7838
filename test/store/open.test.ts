import { spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { StoreError } from "../../src/contract/store.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { fillDisk, numbered, openTestStore, smallDisk, temporaryDirectory } from "../support/store.ts";

const open = (dataDir: string) => openStore({ dataDir, clock: systemClock });

/** Opening fails with one line that names the place and ends with a remedy. */
const refusal = async (dataDir: string): Promise<StoreError> => {
  const error = await open(dataDir).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StoreError);
  if (!(error instanceof StoreError)) throw error;
  expect(error.message).toMatch(/^[^\n]+; [^\n]+$/);
  expect(error.message.startsWith(`${dataDir}: `)).toBe(true);
  return error;
};

const closedStore = async (events: number): Promise<string> => {
  const dataDir = temporaryDirectory();
  const store = await open(dataDir);
  await store.commitObservation({
    source: "test",
    events: Array.from({ length: events }, (_, n) => numbered(n)),
  });
  await store.close();
  return dataDir;
};

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("only the owner can read the directory and its files", async () => {
  const parent = temporaryDirectory();
  const dataDir = join(parent, "a", "b");
  const store = await openTestStore({ dataDir });
  await store.commitObservation({ source: "test", events: [numbered(1)] });
  expect(modeOf(dataDir)).toBe("700");
  for (const file of ["nexusd.db", "nexusd.db-wal", "nexusd.db-shm", "nexusd.lock", "nexusd.pid"])
    expect([file, modeOf(join(dataDir, file))]).toEqual([file, "600"]);
});

test("an existing directory keeps its mode, and nexusd's files in it are closed to others", async () => {
  const dataDir = join(temporaryDirectory(), "data");
  mkdirSync(dataDir, { mode: 0o750 });
  writeFileSync(join(dataDir, "nexusd.db"), "", { mode: 0o644 });
  const store = await openTestStore({ dataDir });
  await store.probe();
  expect([modeOf(dataDir), modeOf(join(dataDir, "nexusd.db"))]).toEqual(["750", "600"]);
  expect(modeOf(join(dataDir, "nexusd.db-wal"))).toBe("600");
});

test.each(["nexusd.db", "nexusd.db-wal", "nexusd.lock", "nexusd.pid", "budgets"])(
  "%s that is a link is refused, and its target is not touched",
  async (name) => {
    const directory = temporaryDirectory();
    const dataDir = join(directory, "data");
    mkdirSync(dataDir);
    for (const target of ["kept", "missing"]) {
      const path = join(directory, target);
      if (target === "kept") writeFileSync(path, "somebody's", { mode: 0o644 });
      symlinkSync(path, join(dataDir, name));
      const { code, message } = await refusal(dataDir);
      expect([code, message]).toEqual(["unusable", expect.stringContaining(`${name} in it is a link`)]);
      if (target === "kept")
        expect([readFileSync(path, "utf8"), modeOf(path)]).toEqual(["somebody's", "644"]);
      else expect(existsSync(path)).toBe(false);
      rmSync(join(dataDir, name));
    }
  },
);

test("a database that is not a regular file is refused", async () => {
  const dataDir = temporaryDirectory();
  mkdirSync(join(dataDir, "nexusd.db"));
  expect((await refusal(dataDir)).message).toContain("nexusd.db in it is not a regular file");
});

test.skipIf(process.getuid?.() !== 0)(
  "root may not use another user's directory, or create one in it; the error has the remedy (needs root)",
  async () => {
    const dataDir = temporaryDirectory();
    chownSync(dataDir, 65_534, 65_534);
    for (const directory of [dataDir, join(dataDir, "below", "it")]) {
      const { code, message } = await refusal(directory);
      expect(code).toBe("unusable");
      expect(message).toContain(
        `started as root, and ${dataDir} belongs to user 65534; start it as that user`,
      );
    }
    expect(readdirSync(dataDir)).toEqual([]);
  },
);

test("the epoch identifies the database: a restart keeps it, another database has another", async () => {
  const dataDir = temporaryDirectory();
  const first = await open(dataDir);
  await first.close();
  const second = await openTestStore({ dataDir });
  const other = await openTestStore();
  expect(second.epoch).toBe(first.epoch);
  expect(second.epoch).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  expect(other.epoch).not.toBe(first.epoch);
});

test("a second store on the directory is refused, and the error names the first one's process", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  const error = await refusal(dataDir);
  expect(error.code).toBe("locked");
  expect(error.message).toContain(`process ${process.pid}`);
  // The refused one must not have loosened the lock: fcntl locks go with the first descriptor closed.
  expect((await refusal(dataDir)).code).toBe("locked");
  const child = await openInChild(dataDir);
  expect(child).toContain(`locked ${dataDir}: in use by another nexusd, process ${process.pid};`);

  await store.close();
  expect(await openInChild(dataDir)).toBe("opened");
});

/** What happens to another process that opens the directory. */
const openInChild = (dataDir: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const script = `
      import { openStore } from ${JSON.stringify(new URL("../../src/store/sqlite/store.ts", import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL("../../src/core/clock.ts", import.meta.url).href)};
      try {
        const store = await openStore({ dataDir: ${JSON.stringify(dataDir)}, clock: systemClock });
        await store.close();
        console.log("opened");
      } catch (error) {
        console.log(error.code, error.message);
      }`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", reject).on("close", () => resolve(output.trim()));
  });

test("a database of a newer nexusd is refused and left unchanged", async () => {
  const dataDir = await closedStore(1);
  const path = join(dataDir, "nexusd.db");
  const db = new Database(path);
  db.pragma("user_version = 999");
  db.close();
  const before = readFileSync(path);
  const error = await refusal(dataDir);
  expect(error.code).toBe("newer_version");
  expect(error.message).toContain("999");
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("a file that is not a database is refused as corrupt and not overwritten", async () => {
  const dataDir = temporaryDirectory();
  const path = join(dataDir, "nexusd.db");
  const text = "not a database, but somebody's notes\n".repeat(500);
  writeFileSync(path, text);
  expect((await refusal(dataDir)).code).toBe("corrupt");
  expect(readFileSync(path, "utf8")).toBe(text);
});

test.each([100, 4096, 20_000, 100_000])(
  "a database cut off after %i bytes is refused as corrupt",
  async (size) => {
    const dataDir = await closedStore(1000);
    truncateSync(join(dataDir, "nexusd.db"), size);
    expect((await refusal(dataDir)).code).toBe("corrupt");
  },
);

test("a database with a damaged page is refused as corrupt, and the lock is released", async () => {
  const dataDir = await closedStore(1000);
  const path = join(dataDir, "nexusd.db");
  const bytes = readFileSync(path);
  const damaged = Buffer.from(bytes);
  damaged.fill(0xa5, 8 * 4096, 9 * 4096);
  writeFileSync(path, damaged);
  expect((await refusal(dataDir)).code).toBe("corrupt");

  writeFileSync(path, bytes);
  const store = await openTestStore({ dataDir });
  expect((await store.readEvents({ after: 0, limit: 1 })).latest).toBe(1000);
});

test("a data directory that is a file, or cannot be created, is refused as unusable", async () => {
  const path = join(temporaryDirectory(), "file");
  writeFileSync(path, "");
  expect((await refusal(path)).code).toBe("unusable");
  expect((await refusal(join(path, "below"))).code).toBe("unusable");
  expect((await refusal("/proc/nexusd/data")).code).toBe("unusable");
});

test("a read-only file system is refused as read_only, with a database or without one", async ({ skip }) => {
  const disk = smallDisk(skip, "4m");
  const dataDir = join(disk.directory, "data");
  disk.remount("ro");
  expect((await refusal(dataDir)).code).toBe("read_only");

  disk.remount("rw");
  await (await open(dataDir)).close();
  disk.remount("ro");
  expect((await refusal(dataDir)).code).toBe("read_only");

  disk.remount("rw");
  await (await open(dataDir)).close();
});

test("a full disk is refused as full, with a database or without one, and opens once there is room", async ({
  skip,
}) => {
  const disk = smallDisk(skip, "2m");
  const dataDir = join(disk.directory, "data");
  mkdirSync(dataDir);
  const filler = join(disk.directory, "filler");
  fillDisk(filler);
  const fresh = await refusal(dataDir);
  expect(fresh.code).toBe("full");

  truncateSync(filler, 0);
  await (await open(dataDir)).close();
  fillDisk(filler);
  expect((await refusal(dataDir)).code).toBe("full");

  truncateSync(filler, 0);
  const store = await openTestStore({ dataDir });
  await store.commitObservation({ source: "test", events: [numbered(1)] });
});

test("after close every call is refused, and closing again does nothing", async () => {
  const dataDir = temporaryDirectory();
  const store = await open(dataDir);
  const underWay = store.commitObservation({ source: "test", cursor: 1, events: [numbered(1)] });
  await store.close();
  await store.close();
  expect((await underWay).latest).toBe(1);
  const calls = [
    () => store.commitObservation({ source: "test", cursor: 1 }),
    () => store.readEvents({ after: 0, limit: 1 }),
    () => store.readCursor("test"),
    () => store.readRecords("kind"),
    () => store.readRecord("kind", "key"),
    () => store.readSecret("name"),
    () => store.searchEvents({ limit: 1 }),
    () => store.putConsumer("name", "oldest"),
    () => store.readConsumer("name"),
    () => store.readConsumers({ limit: 1 }),
    () => store.ackConsumer("name", 1),
    () => store.deleteConsumer("name"),
    () => store.pruneEvents({ keep: 0 }),
    () => store.probe(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "unusable" });
  expect(existsSync(join(dataDir, "nexusd.db-wal"))).toBe(false);
});
