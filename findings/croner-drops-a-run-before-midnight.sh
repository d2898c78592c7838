#!/usr/bin/env bash
# Where the clock jumps over the last hour of a day, croner drops that day's run.
# croner 11.0.1
#
# A good guess: a run whose time falls into the gap of a change of clocks comes at the end of the gap. That is what
# croner does elsewhere: 02:30 in Berlin runs at 03:00 of summer time.
# What happens: in Nuuk the gap lasts from 23:00 to midnight. A schedule for 23:00 has no run for that day at all; the
# next one is a day later.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund croner@11.0.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { Cron } from "croner";

const runs = (pattern, timezone, after) =>
  new Cron(pattern, { timezone, paused: true }).nextRuns(2, new Date(after)).map((run) => run.toISOString());
console.log("Berlin, 02:30:", runs("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z").join(" "));
console.log("Nuuk, 23:00:  ", runs("0 23 * * *", "America/Nuuk", "2027-03-27T12:00:00Z").join(" "));
END

cat >expected <<'END'
Berlin, 02:30: 2027-03-28T01:00:00.000Z 2027-03-29T00:30:00.000Z
Nuuk, 23:00:   2027-03-29T00:00:00.000Z 2027-03-30T00:00:00.000Z
END

node case.mjs | tee seen
diff expected seen
echo "as described"
