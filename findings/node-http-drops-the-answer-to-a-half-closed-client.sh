#!/usr/bin/env bash
# A Node.js server drops its answer to a client that has shut down its writing side, unless it is quick.
# Node.js 26.10.0
#
# A good guess: HTTP over TCP or a Unix socket allows a client to send its request and half-close, as `nc -N` does; the
# answer comes whenever it is ready.
# What happens: an answer that is written in the same turn arrives. One that takes a moment, such as anything that
# asks a database first, is lost: the server ends the connection when it sees the end of the client's side. The effect
# of the request stands.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { createServer } from "node:http";
import { connect } from "node:net";

for (const delayMs of [0, 100]) {
  const server = createServer((_, answer) => {
    if (delayMs === 0) answer.end("done");
    else setTimeout(() => answer.end("done"), delayMs);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  for (const halfCloses of [false, true]) {
    const socket = connect({ port: server.address().port, host: "127.0.0.1", allowHalfOpen: true });
    socket[halfCloses ? "end" : "write"]("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = "";
    socket.setEncoding("utf8").on("data", (text) => (answer += text)).on("error", () => {});
    await new Promise((ended) => socket.on("end", ended));
    socket.destroy();
    const client = halfCloses ? "half-closed client" : "open client";
    console.log(`answer after ${delayMs} ms, ${client}: ${answer.split("\r\n")[0] || "nothing"}`);
  }
  server.close();
}
END

cat >expected <<'END'
answer after 0 ms, open client: HTTP/1.1 200 OK
answer after 0 ms, half-closed client: HTTP/1.1 200 OK
answer after 100 ms, open client: HTTP/1.1 200 OK
answer after 100 ms, half-closed client: nothing
END

node case.mjs | tee seen
diff expected seen
echo "as described"
