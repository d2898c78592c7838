#!/usr/bin/env bash
# The CloudEvents library loses data that is 0, false or "".
# cloudevents 6.0.3
#
# A good guess: `data` of a structured event is any JSON value, and arrives as it was sent.
# What happens: values that JavaScript takes for false are dropped when the event is read. The event has no `data` at
# all afterwards, as if none had been sent.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund cloudevents@6.0.3 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { HTTP } from "cloudevents";

const event = { specversion: "1.0", id: "1", source: "/nexus/stock", type: "nexusd.nexus.stock.low" };
for (const data of [1, true, "text", [], 0, false, ""]) {
  const read = HTTP.toEvent({
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({ ...event, data }),
  });
  console.log(JSON.stringify(data), "->", JSON.stringify(read.data));
}
END

cat >expected <<'END'
1 -> 1
true -> true
"text" -> "text"
[] -> []
0 -> undefined
false -> undefined
"" -> undefined
END

node case.mjs | tee seen
diff expected seen
echo "as described"
