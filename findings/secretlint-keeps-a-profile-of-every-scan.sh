#!/usr/bin/env bash
# secretlint profiles every scan, and keeps the profile for as long as the process lives.
# @secretlint/core 13.0.7 with its recommended rules
#
# A good guess: a library that looks through texts holds nothing of them when it is done.
# What happens: its profiler is on by default and sets marks for each rule and text. They stay, in the profiler and on
# the timeline of Node.js, so that a daemon which scans every message grows for good.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{ "private": true, "type": "module", "allowScripts": { "node": true } }' >package.json
npm install --silent --no-audit --no-fund @secretlint/core@13.0.7 @secretlint/secretlint-rule-preset-recommend@13.0.7 node@26.10.0
export PATH="$dir/node_modules/.bin:$PATH"

cat >case.mjs <<'END'
import { performance } from "node:perf_hooks";
import { lintSource } from "@secretlint/core";
import { creator } from "@secretlint/secretlint-rule-preset-recommend";

const scan = () =>
  lintSource({
    source: { filePath: "message.txt", content: "the shelf by the door is empty", contentType: "text", ext: ".txt" },
    options: { config: { rules: [{ id: "recommended", rule: creator, options: {} }] } },
  });
const marks = () => performance.getEntriesByType("mark").length;
await scan();
const perScan = marks();
for (let scans = 1; scans < 100; scans += 1) await scan();
console.log(`marks after one scan: ${perScan > 0 ? "some" : "none"}`);
console.log(`marks after 100 scans: ${marks() >= 100 * perScan ? "a hundred times as many" : "no more"}`);
END

cat >expected <<'END'
marks after one scan: some
marks after 100 scans: a hundred times as many
END

node case.mjs | tee seen
diff expected seen
echo "as described"
