// Loaded into a daemon by --import: tells the process that started it what its memory is, right after a collection.

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
  // What a finalizer lets go of is free only at the collection after it.
  collect();
  setImmediate(() => {
    collect();
    const { heapUsed, external, rss } = process.memoryUsage();
    process.send?.({ heapUsed, external, rss, timeline: performance.getEntries().length } satisfies Measured);
  });
});
// The channel alone must not keep alive a daemon that was told to stop.
process.channel?.unref();
