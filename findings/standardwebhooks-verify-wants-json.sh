#!/usr/bin/env bash
# A webhook with a good signature is refused with a SyntaxError where its body is not JSON.
# standardwebhooks 1.1.1
#
# A good guess: the signature is over bytes, so `verify` says yes or no to any body, and throws
# WebhookVerificationError where it says no.
# What happens: after the signature is found right the body is parsed as JSON. A text body ends in a SyntaxError, which
# a receiver that catches WebhookVerificationError alone answers with 500, and the sender tries again for ever. An
# empty body passes.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund standardwebhooks@1.1.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(`whsec_${Buffer.from("a made-up secret of a test").toString("base64")}`);
const now = new Date();
for (const body of ['{"a":1}', "", "pong"]) {
  const headers = {
    "webhook-id": "msg_1",
    "webhook-timestamp": String(Math.floor(now.getTime() / 1000)),
    "webhook-signature": webhook.sign("msg_1", now, body),
  };
  try {
    console.log(JSON.stringify(body), "->", webhook.verify(body, headers));
  } catch (error) {
    console.log(JSON.stringify(body), "->", error.constructor.name);
  }
}
END

cat >expected <<'END'
"{\"a\":1}" -> { a: 1 }
"" -> undefined
"pong" -> SyntaxError
END

node case.mjs | tee seen
diff expected seen
echo "as described"
