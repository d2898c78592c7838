#!/usr/bin/env bash
# SQLite and JavaScript (and PostgreSQL) read different values where a JSON object has the same key twice.
# better-sqlite3 13.2.0 (SQLite 3.54.1), @electric-sql/pglite 0.5.14 (PostgreSQL 18.6), Node.js 26.10.0
#
# A good guess: text that is stored as it came means the same to the program that reads it and to the database that
# searches it.
# What happens: JSON.parse and PostgreSQL (json and jsonb) take the last one, SQLite's functions and its `->>` the first.
# json_set changes the first only, which leaves JSON.parse with the old value, and after json_remove the key is still
# there.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund better-sqlite3@13.2.0 @electric-sql/pglite@0.5.14 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { PGlite } from "@electric-sql/pglite";
import Database from "better-sqlite3";

const text = '{"state":"open","state":"done"}';
const sqlite = new Database(":memory:");
const inSqlite = (sql) => sqlite.prepare(`select ${sql}`).pluck().get({ text });
const postgres = await PGlite.create();
const { rows } = await postgres.query("select $1::json ->> 'state' as json, $1::jsonb ->> 'state' as jsonb", [text]);

console.log("JSON.parse:", JSON.parse(text).state);
console.log("PostgreSQL:", rows[0].json, rows[0].jsonb);
console.log("SQLite:", inSqlite(":text ->> 'state'"), inSqlite("json_extract(:text, '$.state')"));
console.log("JSON.parse after json_set:", JSON.parse(inSqlite("json_set(:text, '$.state', 'closed')")).state);
console.log("after json_remove:", inSqlite("json_remove(:text, '$.state')"));
END

cat >expected <<'END'
JSON.parse: done
PostgreSQL: done done
SQLite: open open
JSON.parse after json_set: done
after json_remove: {"state":"done"}
END

node case.mjs | tee seen
diff expected seen
echo "as described"
