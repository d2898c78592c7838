// An idle daemon runs for months beside other programs: it uses little memory, and returns what it no longer needs.
// bin/nexusd sets the flags of V8: V8 does not take from the compile cache what was compiled with others.

import { flushCompileCache } from "node:module";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** For the next start, by the compile cache that bin/nexusd turns on. Node.js would do it only at a regular end. */
export function keepCompiled(): void {
  flushCompileCache();
}

/** Collects once, thoroughly; about 20 ms. V8 would keep the garbage of the start until it needs the room. */
export function giveBackMemory(): void {
  // The function that --expose-gc defines exists only in contexts made after the flag is set.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
