// The words of insights that an earlier version indexed: found before, while and after they are indexed anew.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { migrate, readMigrations } from "../../src/store/sqlite/migrate.ts";
import { openTestStore, temporaryDirectory } from "../support/store.ts";

const WRITER = fileURLToPath(new URL("../support/store-writer.ts", import.meta.url));
const START = Date.parse("2026-03-01T00:00:00.000Z");
const OLDER = 1000;
const KEPT = 10;

const isoAt = (n: number) => new Date(START + n).toISOString();
const dataOf = (content: string) => JSON.stringify({ insight: { content }, workspace: null, origin: "live" });

/** A directory as version 6 of the schema left it; the events of the first insights were removed. */
function written() {
  const dataDir = temporaryDirectory();
  const db = new Database(join(dataDir, "nexusd.db"));
  db.pragma("journal_mode = WAL");
  migrate(db, readMigrations().slice(0, 6));
  const event = db.prepare(
    "INSERT INTO events (id, source, type, time, data) VALUES (?, '/nex/insights', 'nexusd.nex.insight.received', ?, ?)",
  );
  const insight = db.prepare("INSERT INTO insights (key, sequence, time) VALUES (?, ?, ?)");
  const data = db.prepare("INSERT INTO insight_data (key, data) VALUES (?, ?)");
  const words = db.prepare("INSERT INTO insight_words (rowid, content, target) VALUES (?, ?, '')");
  db.transaction(() => {
    for (let n = 1; n <= OLDER; n++) {
      const content = `number${n} مُحَمَّد plain`;
      const key = (START + n) * 1024;
      event.run(String(n).padStart(26, "0"), isoAt(n), dataOf(content));
      insight.run(key, n, isoAt(n));
      words.run(key, content);
      if (n <= KEPT) data.run(key, dataOf(content));
    }
    db.prepare("DELETE FROM events WHERE sequence <= ?").run(KEPT);
  })();
  db.close();
  return dataDir;
}

/** What another connection sees: the key from which on all is indexed anew; null: nothing yet; undefined: it is done. */
const renewedFrom = (dataDir: string): number | null | undefined => {
  const db = new Database(join(dataDir, "nexusd.db"), { readonly: true });
  try {
    if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'insight_words'").get() === undefined)
      return undefined;
    const from = db.prepare<[], number>("SELECT value FROM meta WHERE key = 'insight_terms_from'");
    return from.pluck().get() ?? null;
  } finally {
    db.close();
  }
};

const sequences = async (store: Store, text: string, limit = 10) =>
  (await store.searchEvents({ limit, text })).map(({ sequence }) => sequence);

const untilDone = (dataDir: string) =>
  vi.waitFor(() => expect(renewedFrom(dataDir)).toBeUndefined(), { timeout: 60_000, interval: 50 });

test("while older insights are indexed again, each is found; afterwards also by its other forms", async () => {
  const dataDir = written();
  const store = await openTestStore({ dataDir });
  expect(await sequences(store, `number${OLDER - 1}`)).toEqual([OLDER - 1]);
  while (renewedFrom(dataDir) !== undefined) {
    await nextTurn();
    expect(await sequences(store, "number4", OLDER)).toContain(4);
    expect(await sequences(store, `number${OLDER}`)).toEqual([OLDER]);
    expect(await sequences(store, "plain", OLDER)).toHaveLength(OLDER);
  }
  expect(await sequences(store, "plain", OLDER + 1)).toHaveLength(OLDER);
  expect(await sequences(store, "محمد", OLDER + 1)).toHaveLength(OLDER);
  expect(await sequences(store, "number3 محمد", OLDER)).toContain(3);
});

test("an insight that arrives late or is forgotten while older ones are indexed again is found once or not at all", async () => {
  const dataDir = written();
  const store = await openTestStore({ dataDir });
  const type = "nex.insight.received";
  const data = { insight: { content: "late plain" }, workspace: null, origin: "live" as const };
  const late = { type, source: "/nex/insights", time: isoAt(20), data } as const;
  const [{ latest }] = await Promise.all([
    store.commitObservation({ source: "test", events: [late] }),
    store.forgetSearchable(isoAt(KEPT + 1)),
  ]);
  const check = async () => {
    expect(await sequences(store, "late")).toEqual([latest]);
    expect(await sequences(store, "plain", OLDER + 2)).toHaveLength(OLDER - KEPT + 1);
  };
  await check();
  await untilDone(dataDir);
  await check();
});

test("a daemon that is killed while it indexes again goes on where it stopped", async () => {
  const dataDir = written();
  const child = spawn(process.execPath, [WRITER, dataDir], { stdio: ["ignore", "ignore", "inherit"] });
  const closed = once(child, "close");
  await vi.waitFor(() => expect(renewedFrom(dataDir)).toBeTypeOf("number"), {
    timeout: 60_000,
    interval: 10,
  });
  child.kill("SIGKILL");
  await closed;
  expect(child.signalCode).toBe("SIGKILL");
  const reached = renewedFrom(dataDir);
  // Else this machine was too quick for what is to be shown.
  expect(reached).toBeTypeOf("number");

  // What is behind the mark is not gone over again: its words could be taken away without being missed.
  const db = new Database(join(dataDir, "nexusd.db"));
  db.prepare("DELETE FROM insight_terms WHERE rowid = ?").run((START + OLDER) * 1024);
  db.close();
  const store = await openTestStore({ dataDir });
  await untilDone(dataDir);
  expect(await sequences(store, "محمد", OLDER + 1)).toHaveLength(OLDER - 1);
  expect(await sequences(store, `number${OLDER}`)).toEqual([]);
});
