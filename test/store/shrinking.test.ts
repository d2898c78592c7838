// The file of the log gets smaller while it is in use.

import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "../../src/store/sqlite/store.ts";

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "nexusd-shrinking-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const open = () => openStore({ dataDir, clock: systemClock });
const file = () => join(dataDir, "nexusd.db");

async function filled(count: number) {
  const store = await open();
  const event = (n: number) => ({
    type: "daemon.stopped" as const,
    source: "/daemon",
    data: { reason: `${n} ${"x".repeat(1000)}` },
  });
  await store.commitObservation({
    source: "test",
    events: Array.from({ length: count }, (_, n) => event(n)),
  });
  return store;
}

/** As an earlier version made it. */
function withoutShrinking(): void {
  const db = new Database(file());
  db.pragma("auto_vacuum = NONE");
  db.exec("VACUUM");
  expect(db.pragma("auto_vacuum", { simple: true })).toBe(0);
  db.close();
}

test("what retention removes makes the file smaller, without a restart", async () => {
  await (await filled(5000)).close();
  const before = statSync(file()).size;
  const store = await open();
  expect(await store.pruneEvents({ keep: 500 })).toEqual({ removed: 4500 });
  expect(statSync(file()).size).toBeLessThan(before / 4);
  const { events } = await store.readEvents({ after: 0, limit: 1000 });
  expect(events).toHaveLength(500);
  await store.close();
});

test("the file of an earlier version can do it after the next start, with all that it holds", async () => {
  await (await filled(5000)).close();
  withoutShrinking();
  const before = statSync(file()).size;
  const store = await open();
  expect((await store.readEvents({ after: 4999, limit: 10 })).events).toHaveLength(1);
  await store.pruneEvents({ keep: 500 });
  expect(statSync(file()).size).toBeLessThan(before / 4);
  await store.close();
});

test("retention that ends with the store leaves a whole log", async () => {
  const store = await filled(5000);
  const pruning = store.pruneEvents({ keep: 10 });
  await store.close();
  await expect(pruning).rejects.toMatchObject({ code: "unusable" });
  const again = await open();
  const { latest, oldest } = await again.readEvents({ after: 0, limit: 0 });
  expect({ latest, isWhole: oldest <= 4991 }).toEqual({ latest: 5000, isWhole: true });
  await again.close();
});
