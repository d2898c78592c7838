#!/usr/bin/env bash
# An hour that a change of clocks skips is made up for alone, but not in a list of hours.
# croner 11.0.1
#
# A good guess: "30 2,14 * * *" runs whenever "30 2 * * *" or "30 14 * * *" does.
# What happens: on the day without 02:30, "30 2 * * *" runs at 03:00, the end of the gap. With a second hour in the
# list the night's run is left out without a word.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund croner@11.0.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { Cron } from "croner";

for (const pattern of ["30 2 * * *", "30 14 * * *", "30 2,14 * * *"]) {
  const runs = new Cron(pattern, { timezone: "Europe/Berlin", paused: true }).nextRuns(9, new Date("2027-03-27T20:00:00Z"));
  const day = runs.map((run) => run.toISOString()).filter((run) => run.startsWith("2027-03-28"));
  console.log(pattern, "->", day.join(" "));
}
END

cat >expected <<'END'
30 2 * * * -> 2027-03-28T01:00:00.000Z
30 14 * * * -> 2027-03-28T12:30:00.000Z
30 2,14 * * * -> 2027-03-28T12:30:00.000Z
END

node case.mjs | tee seen
diff expected seen
echo "as described"
