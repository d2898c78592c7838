// Loaded into a daemon by --import: reports its memory to the process that started it, right after a collection.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** In bytes. */
export type Measured = Pick<NodeJS.MemoryUsage, "heapUsed" | "external" | "rss"> & { timeline: number };

const collect = (() => {
  // The function that --expose-gc defines exists only in contexts made after the flag is set.
  setFlagsFromString("--expose-gc");
  return runInNewContext("globalThis.gc") as () => void; // what the flag is for
})();

process.on("message", () => {
  // Memory released by a finalizer is free only at the collection after it.
  collect();
  setImmediate(() => {
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    process.send?.({ heapUsed, external, rss, timeline: performance.getEntries().length } satisfies Measured);
  });
});
// The channel alone must not keep a stopped daemon alive.
process.channel?.unref();
