#!/usr/bin/env bash
# Closing a server on a Unix socket removes whatever has its name by then.
# Node.js 26.10.0
#
# A good guess: close() removes the socket that the server made, or leaves files alone.
# What happens: it removes what stands at the path. Where a second process has put its own socket there meanwhile (an
# upgrade that starts the new one before the old one stops), the old one takes the new one's address away as it goes.
# The new one listens on, and nobody can reach it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { existsSync, unlinkSync } from "node:fs";
import { connect, createServer } from "node:net";

const listen = async () => {
  const server = createServer((socket) => socket.end("hello"));
  await new Promise((listening) => server.listen("agent.sock", listening));
  return server;
};
const tryIt = (when) =>
  new Promise((done) => {
    connect("agent.sock")
      .on("connect", () => done(console.log(`${when}: reached`)))
      .on("error", (error) => done(console.log(`${when}: ${error.code}`)));
  });

const old = await listen();
unlinkSync("agent.sock");
const successor = await listen();
await tryIt("both open");
await new Promise((closed) => old.close(closed));
console.log(`the file is ${existsSync("agent.sock") ? "there" : "gone"}, the successor ${successor.listening ? "listens" : "is closed"}`);
await tryIt("old one closed");
process.exit();
END

cat >expected <<'END'
both open: reached
the file is gone, the successor listens
old one closed: ENOENT
END

node case.mjs | tee seen
diff expected seen
echo "as described"
