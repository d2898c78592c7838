#!/usr/bin/env bash
# undici sends a POST a second time where the server refuses its stream.
# undici 8.12.4, Node.js 26.10.0
#
# A good guess: undici repeats nothing by itself; repeating is what its RetryAgent is for, and it leaves POST out.
# What happens: over HTTP/2, which undici 8 speaks by default, a stream that is reset with REFUSED_STREAM is sent again
# at once, body and all. The protocol allows it, since the server says that it has done nothing. Who counts requests, or
# has promised to send once, counts wrong.
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

const bodies = [];
const tls = { key: readFileSync("key.pem"), cert: readFileSync("cert.pem") };
const server = createSecureServer({ ...tls, allowHTTP1: true }, async (asked, answer) => {
  let body = "";
  for await (const chunk of asked) body += chunk;
  bodies.push(body);
  if (bodies.length === 1 && answer.stream) answer.stream.close(7); // REFUSED_STREAM
  else answer.end("done");
});
server.on("sessionError", () => {});
await new Promise((listening) => server.listen(0, listening));
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
const { statusCode } = await request(`https://localhost:${server.address().port}`, { dispatcher, method: "POST", body: "pay" });
console.log(`asked once, answered ${statusCode}; the server got: ${bodies.join(", ")}`);
process.exit();
END

cat >expected <<'END'
asked once, answered 200; the server got: pay, pay
END

node case.mjs | tee seen
diff expected seen
echo "as described"
