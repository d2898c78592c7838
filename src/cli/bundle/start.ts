// What bin/nexusctl starts where there is a bundle: start.cjs, which loads as little as the arguments need.

import { pathToFileURL } from "node:url";
import type { startLight } from "./light.ts";
import type { startMcp } from "./mcp.ts";
import { isCurrent } from "./sources.ts";

/** Relative to the bundle, which defines both: nexusctl as it runs without one. */
declare const WHOLE: string;
/** What it was made of, in a checkout; elsewhere null. */
declare const SOURCES: string | null;

/** Of V8; bin/nexusctl has it for the MCP server. */
const LITE = "--lite-mode";

// As in core/clock.ts.
const { join } = process.getBuiltinModule("node:path");

/** @returns false: the arguments are for the whole nexusctl, or the bundle is not of the sources as they are now */
function startPart(argv: readonly string[]): boolean {
  if (SOURCES !== null && !isCurrent(join(__dirname, SOURCES))) return false;
  if (argv.includes("mcp")) {
    const mcp: { startMcp: typeof startMcp } = require("./mcp.cjs");
    return mcp.startMcp(argv);
  }
  const light: { startLight: typeof startLight } = require("./light.cjs");
  return light.startLight(argv);
}

function startWhole(argv: readonly string[]): void {
  const whole = join(__dirname, WHOLE);
  const flags = process.execArgv.filter((flag) => flag !== LITE);
  // What strips the types of sources does not run in this mode.
  if (SOURCES !== null && flags.length < process.execArgv.length && process.execve)
    process.execve(process.execPath, [process.execPath, ...flags, whole, ...argv]);
  void import(pathToFileURL(whole).href);
}

const argv = process.argv.slice(2);
if (!startPart(argv)) startWhole(argv);
