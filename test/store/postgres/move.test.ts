// Moving a log from SQLite to PostgreSQL and back: everything, exactly, and never beside a daemon.

import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import type { Store } from "../../../src/contract/store.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { moveDatabase } from "../../../src/store/move/move.ts";
import { exportPostgres, type PostgresTarget } from "../../../src/store/postgres/inspect.ts";
import { placeOf } from "../../../src/store/postgres/place.ts";
import { exportDatabase } from "../../../src/store/sqlite/inspect.ts";
import { openStore as openSqlite } from "../../../src/store/sqlite/store.ts";
import { postgresUrl, TEST_KEY } from "../../support/open-store.ts";
import { numbered, temporaryDirectory } from "../../support/store.ts";
import {
  AGENT,
  approval,
  NO_REJECTION,
  OPERATOR,
  propose,
  proposedWrite,
  rejection,
  t,
} from "../../support/stored-write.ts";
import { newSchema, openPostgres } from "./harness.ts";

const insight = (content: string, hint: string, time: string) =>
  ({
    type: "nex.insight.received",
    source: "/nex/insights",
    time,
    data: {
      insight: { type: "risk", content, confidence: 0.7, target: { hint } },
      workspace: null,
      origin: "live",
    },
  }) as never; // of the shape that the service gives

/** A log with something of everything: pruned events, a pruned audit log, odd text, large integers. */
async function fill(store: Store): Promise<void> {
  const odd = "a\u0000b\u0001c";
  await store.commitObservation({
    source: odd,
    cursor: { n: 48066188026052611n, odd },
    events: [
      ...Array.from({ length: 700 }, (_, n) => ({ ...numbered(n), subject: odd })),
      insight("The budget was cut", "Jane Doe", "2026-03-01T00:00:00.000Z"),
      insight("Ein Überblick 数据库", "João", "2026-03-02T00:00:00.000Z"),
    ],
    known: [{ scope: "x", match: [], record: ["a", "b"] }],
    put: Array.from({ length: 600 }, (_, n) => ({ kind: `k${n % 3}`, key: `é${n}`, value: { n, odd } })),
    secrets: [{ name: "session", value: "a-key-of-a-session" }],
  });
  await store.putConsumer("reader", 3, ["service.*"], undefined, { bindTo: "hash" });
  const ids: string[] = [];
  for (let n = 0; n < 4; n++) ids.push((await propose(store, { reason: odd })).id);
  await store.transitionWrite(rejection(ids[0] ?? "", "no"));
  await store.transitionWrite(approval(ids[1] ?? ""));
  const rows = await store.readAudit({ limit: 100 });
  await store.signOffAudit({ sequence: 1, hash: rows[0]?.hash ?? "", note: null }, OPERATOR, t(5));
  await store.pruneEvents({ keep: 300 });
  await store.commitObservation({
    source: "s",
    events: [insight("A renewal", "Jane Doe", "2026-03-03T00:00:00.000Z")],
  });
}

const dump = (path: string) => {
  const db = new Database(path, { readonly: true });
  try {
    const tables = [
      "events",
      "cursors",
      "records",
      "dedupe",
      "secrets",
      "consumers",
      "writes",
      "audit",
      "insight_data",
    ];
    return Object.fromEntries([
      ...tables.map((name) => [name, db.prepare(`SELECT * FROM ${name} ORDER BY 1, 2`).all()]),
      [
        "insights",
        db.prepare("SELECT sequence, time, type, confidence FROM insights ORDER BY sequence").all(),
      ],
      // How often it was probed is nobody's business.
      ["meta", db.prepare("SELECT * FROM meta WHERE key <> 'probes' ORDER BY key").all()],
      ["end", db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'events'").all()],
    ]);
  } finally {
    db.close();
  }
};

const linesOf = async (work: (take: (line: string) => Promise<void>) => Promise<void>) => {
  const lines: string[] = [];
  await work(async (line) => void lines.push(line));
  return lines;
};

const targetOf = (schema: string): PostgresTarget => ({
  ...{ url: postgresUrl(), schema, keys: [TEST_KEY], place: placeOf(postgresUrl(), schema) },
});

test("a log is moved there and back without a difference, also by a move that was ended and went on", async () => {
  const dataDir = temporaryDirectory();
  const sqlite = await openSqlite({ dataDir, clock: systemClock });
  await fill(sqlite);
  const path = join(dataDir, "nexusd.db");
  const postgres = targetOf(newSchema());
  const move = (
    to: "postgres" | "sqlite",
    { signal = new AbortController().signal, onTable = () => {} } = {},
  ) => moveDatabase({ ...{ dataDir, postgres, to, signal }, onTable });
  // Never while a daemon has it.
  await expect(move("postgres")).rejects.toMatchObject({ code: "locked" });
  await sqlite.close();

  const ending = new AbortController();
  let tables = 0;
  const cut = move("postgres", {
    signal: ending.signal,
    onTable: () => {
      tables += 1;
      if (tables === 3) ending.abort(new Error("ended"));
    },
  });
  await expect(cut).rejects.toThrow("ended");
  await expect(openPostgres({ schema: postgres.schema })).rejects.toThrow(/a move into it is not finished/);
  await move("postgres");
  const before = await linesOf((take) => exportDatabase(path, take));
  expect(await linesOf((take) => exportPostgres(postgres, take))).toEqual(before);
  expect(before.length).toBeGreaterThan(300);
  await expect(move("postgres")).rejects.toThrow(/there is a log in it already/);

  const aside = join(dataDir, "aside.db");
  renameSync(path, aside);
  await move("sqlite");
  expect(dump(path)).toEqual(dump(aside));
  expect(existsSync(`${path}.moving`)).toBe(false);
  expect(await linesOf((take) => exportDatabase(path, take))).toEqual(before);
  await expect(move("sqlite")).rejects.toThrow(/it is there already/);

  // Both go on where the log ended, and find the same.
  const stores = [
    await openPostgres({ schema: postgres.schema }),
    await openSqlite({ dataDir, clock: systemClock }),
  ];
  const seen = [];
  for (const store of stores) {
    seen.push({
      epoch: store.epoch,
      found: await store.searchEvents({ limit: 10, text: "renewal" }),
      overview: await store.searchEvents({ limit: 10, text: "uberblick 数据" }),
      jane: (await store.searchEvents({ limit: 10, target: "jane" })).map(({ sequence }) => sequence),
      secret: await store.readSecret("session"),
      counts: await store.countWrites(),
      open: await store.countOpenWrites(),
      verdict: await store.verifyAudit(),
      next: (await store.commitObservation({ source: "s", events: [numbered(1)] })).latest,
      types: await store.readEventTypes(),
      claimed: (await store.claimNextWrite({ via: "nexusd", user: null }, t(9)))?.id,
      created: (await store.proposeWrite(proposedWrite(), AGENT, NO_REJECTION)).kind,
    });
    await store.close();
  }
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[0]).toMatchObject({ verdict: { ok: true }, created: "created", secret: "a-key-of-a-session" });
  expect(seen[0]?.found).toHaveLength(1);
  expect(seen[0]?.overview).toHaveLength(1);
});
