#!/usr/bin/env bash
# undici takes an answer for whole that the server reset in the middle, over HTTP/2.
# undici 8.12.4, Node.js 26.10.0
#
# A good guess: reading a body ends well only where the answer ended. Over HTTP/1.1 that is so: a connection that is cut
# in the middle is an error.
# What happens: undici 8 speaks HTTP/2 by default. A stream that is reset with NO_ERROR or CANCEL, as proxies do when
# they restart, ends the body without an error where no length was announced. Half of a list looks like all of it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund undici@8.12.4 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

command -v openssl >/dev/null || { echo "needs openssl, for a certificate" >&2; exit 2; }
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null

cat >case.mjs <<'END'
import { readFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { Agent, request } from "undici";

const tls = { key: readFileSync("key.pem"), cert: readFileSync("cert.pem") };
const server = createSecureServer({ ...tls, allowHTTP1: true }, (asked, answer) => {
  answer.writeHead(200, { "content-type": "text/plain" });
  answer.write("the first half");
  setTimeout(() => (answer.stream ? answer.stream.close(Number(asked.headers["x-code"])) : answer.socket.destroy()), 100);
});
server.on("sessionError", () => {});
await new Promise((listening) => server.listen(0, listening));
for (const allowH2 of [true, false]) {
  const options = allowH2 ? {} : { allowH2 };
  const dispatcher = new Agent({ ...options, connect: { rejectUnauthorized: false } });
  for (const [code, name] of [[0, "NO_ERROR"], [8, "CANCEL"], [2, "INTERNAL_ERROR"]]) {
    const headers = { "x-code": String(code) };
    const seen = await request(`https://localhost:${server.address().port}`, { dispatcher, headers })
      .then(({ body }) => body.text())
      .catch((error) => error.code);
    console.log(`${allowH2 ? `HTTP/2, reset with ${name}` : "HTTP/1.1, cut"}: ${seen}`);
  }
  await dispatcher.destroy();
}
process.exit();
END

cat >expected <<'END'
HTTP/2, reset with NO_ERROR: the first half
HTTP/2, reset with CANCEL: the first half
HTTP/2, reset with INTERNAL_ERROR: ERR_HTTP2_STREAM_ERROR
HTTP/1.1, cut: UND_ERR_SOCKET
HTTP/1.1, cut: UND_ERR_SOCKET
HTTP/1.1, cut: UND_ERR_SOCKET
END

node case.mjs | tee seen
diff expected seen
echo "as described"
