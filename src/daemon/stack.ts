// Stack traces of the bundle name the modules that it was made from, as its source maps say.

import { readFileSync } from "node:fs";
import { SourceMap, type SourceOrigin } from "node:module";
import { fileURLToPath } from "node:url";

let places: RegExp | undefined;

/**
 * From now on, `namingModules` finds the places in a bundle.
 * @param directory of the bundle, as a URL that ends in a slash
 */
export function nameModulesOf(directory: string): void {
  places = new RegExp(`(${directory.replace(/\W/g, "\\$&")}[\\w-]+\\.js):(\\d+):(\\d+)`, "g");
}

/**
 * A stack trace as it would be without the bundle. Only for traces that somebody is going to read: Node.js can do it for
 * all (--enable-source-maps), but looks at the trace of each broken connection itself, and what it takes to read a map
 * costs an idle daemon 10 MB.
 */
export function namingModules(stack: string): string {
  if (!places) return stack;
  const maps = new Map<string, SourceMap | undefined>();
  return stack.replace(places, (place, file: string, line: string, column: string) => {
    if (!maps.has(file)) maps.set(file, readMap(file));
    const { fileName, lineNumber, columnNumber }: Partial<SourceOrigin> =
      maps.get(file)?.findOrigin(Number(line), Number(column)) ?? {};
    return fileName === undefined ? place : `${new URL(fileName, file).href}:${lineNumber}:${columnNumber}`;
  });
}

function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(`${fileURLToPath(file)}.map`, "utf8")));
  } catch {
    return undefined; // The trace is still right about the bundle.
  }
}
