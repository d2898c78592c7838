#!/usr/bin/env bash
# In binary mode a string of JSON data is sent without its quotation marks.
# cloudevents 6.0.3
#
# A good guess: with `datacontenttype: application/json` the body of a binary message is JSON, as the HTTP binding says,
# whatever the value is: the string hello becomes "hello".
# What happens: objects are serialised, strings are sent as they are. The body is not JSON although the header says so,
# and another language's library refuses it; the string 42 arrives there as a number. Structured mode is right.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund cloudevents@6.0.3 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { CloudEvent, HTTP } from "cloudevents";

const event = { id: "1", source: "/nex/insights", type: "nexusd.nex.insight.received", datacontenttype: "application/json" };
for (const data of [{ a: 1 }, "hello", "42"]) {
  const { headers, body } = HTTP.binary(new CloudEvent({ ...event, data }));
  const { data: structured } = JSON.parse(HTTP.structured(new CloudEvent({ ...event, data })).body);
  console.log(`${headers["content-type"]} | binary ${body} | structured ${JSON.stringify(structured)}`);
}
END

cat >expected <<'END'
application/json | binary {"a":1} | structured {"a":1}
application/json | binary hello | structured "hello"
application/json | binary 42 | structured "42"
END

node case.mjs | tee seen
diff expected seen
echo "as described"
