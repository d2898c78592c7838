#!/usr/bin/env bash
# An insert that does nothing uses up a number of AUTOINCREMENT.
# better-sqlite3 13.2.0 (SQLite 3.54.1)
#
# A good guess: `on conflict do nothing` leaves no trace, so that a log which drops duplicates this way has sequence
# numbers without holes, as long as nothing is deleted.
# What happens: the number is taken before the conflict is found, and is kept in sqlite_sequence. Each duplicate leaves
# a hole, and lastInsertRowid still names the row before. Without AUTOINCREMENT there is no hole.
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
for (const kind of ["autoincrement", ""]) {
  const table = kind ? "counted" : "plain";
  db.exec(`create table ${table} (sequence integer primary key ${kind}, id text unique)`);
  const insert = db.prepare(`insert into ${table} (id) values (?) on conflict do nothing`);
  for (const id of ["a", "a", "a", "a", "b"]) insert.run(id);
  console.log(`${table}:`, db.prepare(`select id || '=' || sequence from ${table}`).pluck().all().join(" "));
}
END

cat >expected <<'END'
counted: a=1 b=5
plain: a=1 b=2
END

node case.mjs | tee seen
diff expected seen
echo "as described"
