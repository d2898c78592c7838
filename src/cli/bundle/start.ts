// What bin/nexusctl starts if there is a bundle: start.cjs, which loads as little as the arguments need.

import { pathToFileURL } from "node:url";
import type { startLight } from "./light.ts";
import type { startMcp } from "./mcp.ts";
import { isCurrent } from "./sources.ts";

/** Relative to the bundle, which defines both: the unbundled nexusctl. */
declare const WHOLE: string;
/** The sources of the bundle, in a checkout; elsewhere null. */
declare const SOURCES: string | null;

/** A flag of V8; bin/nexusctl sets it for the MCP server. */
const LITE = "--lite-mode";

// As in core/clock.ts.
const { join } = process.getBuiltinModule("node:path");

/** @returns false: the arguments need the whole nexusctl, or the sources have changed since bundling */
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
  // Type stripping does not work in this mode.
  if (SOURCES !== null && flags.length < process.execArgv.length && process.execve)
    process.execve(process.execPath, [process.execPath, ...flags, whole, ...argv]);
  void import(pathToFileURL(whole).href);
}

const argv = process.argv.slice(2);
if (!startPart(argv)) startWhole(argv);
