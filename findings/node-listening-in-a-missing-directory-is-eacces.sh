#!/usr/bin/env bash
# Listening on a Unix socket in a directory that does not exist is "permission denied".
# Node.js 26.10.0
#
# A good guess: ENOENT, as bind(2) says and every other call on files does.
# What happens: EACCES. Whoever turns the code into advice sends people to look at permissions that are right.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";

await writeFile("missing/file", "").catch((error) => console.log("write:", error.code));
createServer()
  .on("error", (error) => console.log("listen:", error.code))
  .listen("missing/agent.sock");
END

cat >expected <<'END'
write: ENOENT
listen: EACCES
END

node case.mjs | tee seen
diff expected seen
echo "as described"
