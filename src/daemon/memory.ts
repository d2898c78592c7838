// An idle daemon runs for months beside other programs: it uses little memory, and returns what it no longer needs.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Collects the old generation when it has grown by a quarter instead of up to fourfold. Call it first. It is not a
 * limit: a heap may grow as needed. bin/nexusd sets the size of the young generation by a flag.
 */
export function keepHeapSmall(): void {
  setFlagsFromString("--heap-growing-percent=25");
  // Where many requests are under way at a look, V8 takes what each allocates for long-lived, and makes it in the old
  // generation from then on: up to a tenth of what a poll costs.
  setFlagsFromString("--no-allocation-site-pretenuring");
}

/** Collects once, thoroughly; about 20 ms. V8 would keep the garbage of the start until it needs the room. */
export function giveBackMemory(): void {
  // The function that --expose-gc defines exists only in contexts made after the flag is set.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
