// nexusctl mcp only: mcp.cjs of the bundle.

import { config } from "zod";
import { plainStart } from "../mcp-plain.ts";
import { startPlain } from "../mcp-start.ts";
import { serveProcess } from "../process.ts";

// A generated function per schema would be a little faster, but takes 1.5 MB.
config({ jitless: true });

/** Serves until the process ends. @returns false: the arguments are, or may be, for another command */
export function startMcp(argv: readonly string[]): boolean {
  const plain = plainStart(argv);
  if (!plain) return false;
  void serveProcess((signal) => startPlain(plain, process.env, signal));
  return true;
}
