#!/usr/bin/env bash
# PRAGMA incremental_vacuum(N) gives back one page, not N, where it is run as a statement.
# better-sqlite3 13.2.0 (SQLite 3.54.1)
#
# A good guess: incremental_vacuum(100) gives a hundred free pages back to the file system, however it is called.
# What happens: it works one page for each step of the statement, although it returns no rows. exec() steps to the end
# and frees a hundred; run() steps once and frees one, and so does pragma() with { simple: true }. No error is raised.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund better-sqlite3@13.2.0 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import Database from "better-sqlite3";

const db = new Database("log.db");
db.pragma("auto_vacuum = incremental");
db.exec("create table events (data blob)");
const insert = db.prepare("insert into events values (randomblob(4000))");
db.transaction(() => {
  for (let i = 0; i < 1000; i++) insert.run();
})();
db.exec("delete from events");

const free = () => db.pragma("freelist_count", { simple: true });
const SQL = "incremental_vacuum(100)";
const ways = {
  "exec": () => db.exec(`pragma ${SQL}`),
  "pragma": () => db.pragma(SQL),
  "pragma, simple": () => db.pragma(SQL, { simple: true }),
  "prepare, run": () => db.prepare(`pragma ${SQL}`).run(),
};
for (const [way, vacuum] of Object.entries(ways)) {
  const before = free();
  vacuum();
  console.log(`${way}: ${before - free()} pages freed`);
}
END

cat >expected <<'END'
exec: 100 pages freed
pragma: 100 pages freed
pragma, simple: 1 pages freed
prepare, run: 1 pages freed
END

node case.mjs | tee seen
diff expected seen
echo "as described"
