// What bin/nexusd starts if there is a bundle: the daemon in one file, as long as the sources of it are unchanged.

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isCurrent } from "../../cli/bundle/sources.ts";
import { nameModulesOf, namingModules } from "../stack.ts";

/** Relative to the bundle, which defines both: the unbundled daemon. */
declare const WHOLE: string;
/** The sources of the bundle, in a checkout; elsewhere null. */
declare const SOURCES: string | null;

const directory = import.meta.dirname;
if (SOURCES !== null && !isCurrent(join(directory, SOURCES))) {
  await import(pathToFileURL(join(directory, WHOLE)).href);
} else {
  nameModulesOf(pathToFileURL(`${directory}/`).href);
  try {
    await import("../main.ts");
  } catch (error) {
    // Node.js prints it.
    if (error instanceof Error && error.stack) error.stack = namingModules(error.stack);
    throw error;
  }
}
