// What only the start needed goes back to the system: an idle daemon lives for months beside other programs.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects once, thoroughly; about 20 ms. V8 would keep the garbage of the start until it needs the room. */
export function giveBackMemory(): void {
  // The function that --expose-gc defines exists only in contexts made after the flag is set.
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
