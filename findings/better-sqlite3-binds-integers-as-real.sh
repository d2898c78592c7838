#!/usr/bin/env bash
# Whole numbers reach SQLite as floating-point numbers.
# better-sqlite3 13.2.0 (SQLite 3.54.1)
#
# A good guess: the JavaScript number 7, bound to a parameter, is the integer 7 in SQL.
# What happens: every number is bound as a REAL. A column with integer affinity turns it back. Wherever there is no
# such column, in json_object, in a concatenation or in a column without a type, it stays 7.0, and JSON or a key that
# is put together in SQL differs from the one put together in JavaScript. A BigInt is bound as an integer.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund better-sqlite3@13.2.0 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import Database from "better-sqlite3";

const db = new Database(":memory:");
const one = (sql, value) => db.prepare(sql).pluck().get(value);
console.log("type of a bound 7:", one("select typeof(?)", 7));
console.log("type of a bound 7n:", one("select typeof(?)", 7n));
console.log("as JSON:", one("select json_object('sequence', ?)", 7));
console.log("as text:", one("select 'event-' || ?", 7));
db.exec("create table untyped (value); create table typed (value integer)");
for (const table of ["untyped", "typed"]) {
  db.prepare(`insert into ${table} values (?)`).run(7);
  console.log(`in the ${table} column:`, db.prepare(`select value || '' from ${table}`).pluck().get());
}
END

cat >expected <<'END'
type of a bound 7: real
type of a bound 7n: integer
as JSON: {"sequence":7.0}
as text: event-7.0
in the untyped column: 7.0
in the typed column: 7
END

node case.mjs | tee seen
diff expected seen
echo "as described"
