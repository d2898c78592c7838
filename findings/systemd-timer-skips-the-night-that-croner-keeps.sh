#!/usr/bin/env bash
# On the day when clocks jump over 02:30 a systemd timer for that time does not run; croner runs at the end of the gap.
# systemd 252 (Debian 12), croner 11.0.1
#
# A good guess: the same daily time in a timer unit and in a cron schedule means the same runs.
# What happens: systemd looks for the next day on which the time exists. What ran every night from croner has one run
# less a year when it is moved to a timer.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

command -v systemd-analyze >/dev/null || { echo "needs systemd" >&2; exit 2; }
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund croner@11.0.1 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH" TZ=UTC
cat >case.mjs <<'END'
import { Cron } from "croner";

const schedule = new Cron("30 2 * * *", { timezone: "Europe/Berlin", paused: true });
console.log("croner: ", schedule.nextRun(new Date("2027-03-27T12:00:00Z")).toISOString().slice(0, 16));
END
check() {
  node case.mjs
  systemd-analyze calendar --base-time='2027-03-27 12:00:00 UTC' '*-*-* 02:30:00 Europe/Berlin' |
    sed -n 's/.*Next elapse: [A-Z][a-z]* \(....-..-..\) \(..:..\):.*/systemd:  \1T\2/p'
}

cat >expected <<'END'
croner:  2027-03-28T01:00
systemd:  2027-03-29T00:30
END

check | tee seen
diff expected seen
echo "as described"
