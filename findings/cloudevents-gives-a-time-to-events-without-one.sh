#!/usr/bin/env bash
# The CloudEvents library gives the time of reading to an event that was sent without one.
# cloudevents 10.0.0
#
# A good guess: `time` is optional, and an event that arrives without it has none afterwards.
# What happens: it is stamped with the clock of the reader, so that an old event looks as if it happened now, and no two
# readings of it are alike. A leap second, which RFC 3339 allows, is replaced in the same way, and what a time has below
# the millisecond is cut.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund cloudevents@10.0.0 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { HTTP } from "cloudevents";

const started = Date.now();
const read = (time) => {
  const event = { specversion: "1.0", id: "1", source: "/nexus/stock", type: "nexusd.nexus.stock.low", time };
  const headers = { "content-type": "application/cloudevents+json" };
  const read = HTTP.toEvent({ headers, body: JSON.stringify(event) }).time;
  return Date.parse(read) >= started ? "the time of reading" : read;
};
for (const time of ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456Z", "2016-12-31T23:59:60Z", undefined])
  console.log(time, "->", read(time));
END

cat >expected <<'END'
2026-01-01T00:00:00Z -> 2026-01-01T00:00:00.000Z
2026-01-01T00:00:00.123456Z -> 2026-01-01T00:00:00.123Z
2016-12-31T23:59:60Z -> the time of reading
undefined -> the time of reading
END

node case.mjs | tee seen
diff expected seen
echo "as described"
