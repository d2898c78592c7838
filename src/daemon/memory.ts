// An idle daemon lives for months beside other programs: it takes little memory, and gives back what it needs no more.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Collects before the garbage is large instead of when it is: a pass over 100,000 rows then peaks at half the memory. To
 * be called first. It is no limit: a heap that is needed may grow as ever.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--max-semi-space-size=4");
  setFlagsFromString("--semi-space-growth-factor=1");
  // The old generation is collected when it has grown by this much, instead of up to fourfold.
  setFlagsFromString("--heap-growing-percent=30");
}

/** Collects once, thoroughly; about 20 ms. V8 would keep the garbage of the start until it needs the room. */
export function giveBackMemory(): void {
  // The function that --expose-gc defines exists only in contexts made after the flag is set.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
