// The stand-in for Nex in a separate process: prints its URL, and emits `count` insights, `everyMs` apart, for each
// line `{count, everyMs}` on stdin. Each insight has the time at which its event was written.

import { createInterface } from "node:readline";
import { startNex } from "../../sandbox/nex.ts";

const nex = await startNex({ apiKey: "sk-bench", retention: 1000 });
console.log(nex.url);
for await (const line of createInterface(process.stdin)) {
  const { count, everyMs } = JSON.parse(line);
  const begin = performance.now();
  for (let n = 0; n < count; n++) {
    const due = begin + n * everyMs;
    while (performance.now() < due)
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now() - 0.5)));
    // The monotonic clock is the same in all processes of a machine.
    const at = process.hrtime.bigint();
    nex.emit([{ content: `insight ${at}`, created_by: `at ${at}` }]);
  }
}
await nex.close();
