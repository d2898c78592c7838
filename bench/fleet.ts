// Nodes on one PostgreSQL: the cost of a commit under a lease against a bare transaction with the same rows on the same
// server, and how soon a reader on another node has it.

import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { systemClock } from "../src/core/clock.ts";
import { openPostgresStore } from "../src/store/postgres/store.ts";
import { followLog } from "../src/store/tail.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { median, print } from "./figure.ts";

const ROUNDS = 20;
const COMMITS = 50;
const SEEN = 500;
/** Between two commits that are seen, at random up to this: isolated ones, and some that share a message. */
const MOST_BETWEEN_MS = 30;

const server = await startPostgres();
const open = (node: string, schema = "nexusd") =>
  openPostgresStore({
    ...{ url: server.url, schema, node, keys: [Buffer.alloc(32, 7)], clock: systemClock },
  });
const [here, there] = [await open("here"), await open("there")];

const text = "x".repeat(400);
const commit = (n: number) =>
  here.commitObservation({
    source: "job:bench",
    cursor: n,
    events: [
      { type: "service.recovered", source: "/bench", data: { service: "nex", state: `${n} ${text}` } },
    ],
  });

// A schema of its own, so that neither waits for the other's head.
const bareStore = await open("bare", "bare");
await bareStore.close();
const bare = new pg.Client({ connectionString: server.url, pipeline: true });
await bare.connect();
await bare.query("SET search_path TO bare");
await bare.query("INSERT INTO commits (incarnation, token) VALUES (1, '')");
const statement = (name: string, sql: string, values: unknown[]) => bare.query({ name, text: sql, values });

/** Takes its sequence from the head, as every commit does; then everything in one message. */
const bareCommit = async (n: number) => {
  const [, { rows }] = await Promise.all([
    bare.query("BEGIN"),
    statement("lock", "SELECT latest FROM head FOR UPDATE", []),
  ]);
  const sequence = Number(rows[0].latest) + 1;
  const data = JSON.stringify({ service: "nex", state: `${n} ${text}` });
  await Promise.all([
    statement(
      "event",
      "INSERT INTO events (sequence, id, source, type, subject, time, data, size) VALUES ($1, $2, $3, $4, NULL, $5, $6, $7)",
      [sequence, `${sequence}`, "/bench", "nexusd.service.recovered", "2026-01-01", data, data.length],
    ),
    statement(
      "cursor",
      `INSERT INTO cursors (source, value, updated_at) VALUES ($1, $2, $3)
       ON CONFLICT (source) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`,
      ["job:bench", `${n}`, "2026-01-01"],
    ),
    statement("head", "UPDATE head SET latest = $1, last_id = $2", [sequence, `${sequence}`]),
    statement("token", "UPDATE commits SET token = $1 WHERE incarnation = 1", [`${n}`]),
    bare.query("COMMIT"),
  ]);
};

/** Milliseconds of one. */
async function timed(work: (n: number) => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  for (let n = 0; n < COMMITS; n++) await work(n);
  return (performance.now() - startedAt) / COMMITS;
}

const under = (work: () => Promise<void>) => here.fleet.hold("job:bench", new AbortController().signal, work);

await under(async () => {
  const [fenced, plain]: [number[], number[]] = [[], []];
  // In turn, so that both meet the same disk.
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await timed(bareCommit));
    fenced.push(await timed(commit));
  }
  print({
    ...{ bench: "fleet", case: "a commit under a lease", figure: "median", unit: "ms" },
    ...{ value: median(fenced), baseline: median(plain) },
  });
});

const stop = new AbortController();
const tail = followLog({ store: there, clock: systemClock, signal: stop.signal });
const seenAt = new Map<number, number>();
let { latest } = await there.readEvents({ after: 0, limit: 0 });
const reading = (async () => {
  for (let after = latest; !stop.signal.aborted; ) {
    const page = await tail.read({ after, limit: 100 }, 1000, stop.signal);
    for (const event of page.events) seenAt.set(event.sequence, performance.now());
    after = page.next;
  }
})();
const doneAt = new Map<number, number>();
await under(async () => {
  for (let n = 0; n < SEEN; n++) {
    ({ latest } = await commit(n));
    doneAt.set(latest, performance.now());
    await sleep(Math.random() * MOST_BETWEEN_MS);
  }
});
while (!seenAt.has(latest)) await sleep(10);
stop.abort();
await reading;
const delays = [...doneAt]
  .map(([own, at]) => Math.max(0, (seenAt.get(own) ?? Number.NaN) - at))
  .toSorted((one, other) => one - other);
for (const [figure, value] of [
  ["median", median(delays)],
  ["p99", delays[Math.ceil(delays.length * 0.99) - 1] ?? Number.NaN],
] as const)
  print({ bench: "fleet", case: "seen by a reader on another node", figure, value, unit: "ms" });

await bare.end();
await Promise.all([here.close(), there.close()]);
await server.stop();
