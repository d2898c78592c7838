#!/usr/bin/env bash
# `import { request } from "node:http"` loads the whole HTTP client of fetch and WebSocket, which nothing has used.
# node 26.10.0
#
# A good guess: naming one export of a built-in module costs what that export needs; the others are there for who asks.
# What happens: a built-in module that is imported is read as a whole, and `WebSocket` of node:http is a getter that loads
# undici. process.getBuiltinModule() and require() do not read it: the same program is about 10 MB smaller.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >got.mjs <<'END'
const { request } = process.getBuiltinModule("node:http");
const megabytes = process.memoryUsage.rss() / 1e6;
const isLoaded = process.moduleLoadList.includes("NativeModule internal/deps/undici/undici");
console.log(JSON.stringify({ is: typeof request, isLoaded, megabytes }));
END
cat >imported.mjs <<'END'
import { request } from "node:http";
const megabytes = process.memoryUsage.rss() / 1e6;
const isLoaded = process.moduleLoadList.includes("NativeModule internal/deps/undici/undici");
console.log(JSON.stringify({ is: typeof request, isLoaded, megabytes }));
END

got=$(node got.mjs)
imported=$(node imported.mjs)
echo "got:      $got"
echo "imported: $imported"
node - "$got" "$imported" <<'END'
const [got, imported] = process.argv.slice(2).map((text) => JSON.parse(text));
const assert = require("node:assert/strict");
assert.deepEqual([got.is, got.isLoaded], ["function", false]);
assert.deepEqual([imported.is, imported.isLoaded], ["function", true]);
assert.ok(imported.megabytes - got.megabytes > 5, "the import costs more than 5 MB");
END
echo "as described"
