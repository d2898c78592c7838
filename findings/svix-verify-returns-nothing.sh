#!/usr/bin/env bash
# svix and standardwebhooks check the same signature, but only one gives the payload back.
# svix 2.5.0, standardwebhooks 1.1.1
#
# A good guess: `verify(payload, headers)` of both libraries, which share specification, secret and shape of code,
# returns the parsed payload, so that one can take the place of the other.
# What happens: svix returns undefined for a payload that is valid, and throws otherwise. A receiver written as
# `const event = webhook.verify(body, headers)` goes on with nothing.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund svix@2.5.0 standardwebhooks@1.1.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";

const secret = `whsec_${Buffer.from("a made-up secret of a test").toString("base64")}`;
const body = '{"type":"nexusd.nexus.stock.low"}';
const now = new Date();
const headers = {
  "webhook-id": "msg_1",
  "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
  "webhook-signature": new Standard(secret).sign("msg_1", now, body),
};
console.log("standardwebhooks:", new Standard(secret).verify(body, headers));
console.log("svix:", new Svix(secret).verify(body, headers));
END

cat >expected <<'END'
standardwebhooks: { type: 'nexusd.nexus.stock.low' }
svix: undefined
END

node case.mjs | tee seen
diff expected seen
echo "as described"
