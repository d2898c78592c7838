// Imports the modules of own jobs: again when they have changed, and with nexusd's own entries available.

import { execFile } from "node:child_process";
import { createRequire, registerHooks } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { systemClock } from "../core/clock.ts";
import { within } from "../core/within.ts";
import { placeIn } from "./failure.ts";

/** A file without a job. */
export class JobFileError extends Error {
  override readonly name = "JobFileError";
  /** Counted from 1, if known. */
  readonly line: number | undefined;

  constructor(message: string, line?: number) {
    super(message);
    this.line = line;
  }
}

/** The package entries of the running nexusd: a job needs no copy of its own. */
const EXTENSION = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const ENTRIES: Readonly<Record<string, string>> = {
  "nexusd/job": new URL(`../job/index${EXTENSION}`, import.meta.url).href,
  "nexusd/client": new URL(`../client/index${EXTENSION}`, import.meta.url).href,
};

/** Job directories as URLs, with the suffix of their modules' URLs: a new suffix makes Node.js load a new module. */
const versions = new Map<string, string>();
let isHooked = false;

/** From now on, modules of the directory are loaded in this version. */
export function prepareImports(directory: string, version: string): void {
  const root = pathToFileURL(`${resolve(directory)}/`).href;
  const isFirst = !versions.has(root);
  // The first version has plain URLs, which debuggers and stack traces show best.
  versions.set(root, isFirst ? "" : `?nexusd=${version}`);
  const { cache } = createRequire(import.meta.url);
  for (const file of Object.keys(cache)) if (pathToFileURL(file).href.startsWith(root)) delete cache[file];
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, next) {
      const entry = isOurs(context.parentURL) ? ENTRIES[specifier] : undefined;
      if (entry !== undefined) return next(entry, context);
      const found = resolveWithZod(specifier, context, next);
      const version = context.conditions?.includes("require") ? "" : versionOf(found.url);
      return version === "" ? found : { ...found, url: found.url + version };
    },
  });
}

type Resolve = Parameters<Parameters<typeof registerHooks>[0]["resolve"] & {}>;

/** A directory without node_modules can still import zod. */
function resolveWithZod(specifier: Resolve[0], context: Resolve[1], next: Resolve[2]) {
  try {
    return next(specifier, context);
  } catch (error) {
    if (!/^zod(\/|$)/.test(specifier) || !isOurs(context.parentURL)) throw error;
    return next(specifier, { ...context, parentURL: import.meta.url });
  }
}

const rootOf = (url: string) => [...versions.keys()].find((root) => url.startsWith(root));
const isOurs = (url: string | undefined) => url !== undefined && rootOf(url) !== undefined;

function versionOf(url: string): string {
  const root = rootOf(url);
  return root === undefined || url.includes("?") || url.slice(root.length).includes("node_modules/")
    ? ""
    : (versions.get(root) ?? "");
}

/** @returns undefined without a default export @throws JobFileError if it cannot be loaded */
export async function importDefault(file: string, timeoutMs: number): Promise<unknown> {
  const url = pathToFileURL(resolve(file)).href;
  const loading: Promise<{ default?: unknown }> = import(url + versionOf(url)).catch(async (error) => {
    throw await asJobFileError(error, resolve(file));
  });
  const loaded = await within(systemClock, timeoutMs, loading);
  if (loaded) return loaded.value.default;
  throw new JobFileError(
    `did not finish loading within ${timeoutMs / 1000} s; a top-level await in it may never end`,
  );
}

async function asJobFileError(error: unknown, file: string): Promise<JobFileError> {
  if (!(error instanceof Error)) return new JobFileError(`throws while it is loaded: ${String(error)}`);
  if (error.name === "SyntaxError") {
    // For TypeScript, Node.js puts the position first in the stack ("/…/job.ts:3"); for JavaScript it has none.
    const [, place = "", line] = /^([^\n]*):(\d+)\n/.exec(error.stack ?? "") ?? [];
    if (line !== undefined) {
      const where = place.replace(/^file:\/\//, "").replace(/\?.*$/, "") === file ? "" : ` (in ${place})`;
      return new JobFileError(`is not valid TypeScript for Node.js: ${error.message}${where}`, Number(line));
    }
    return new JobFileError(`is not valid JavaScript: ${error.message}`, await lineOfSyntaxError(file));
  }
  const place = placeIn(error.stack ?? "", dirname(file));
  const isHere = place !== undefined && resolve(dirname(file), place.file) === file;
  const elsewhere = place && !isHere ? ` (${place.file}:${place.line})` : "";
  return new JobFileError(
    `throws while it is loaded: ${error.name}: ${error.message}${elsewhere}`,
    isHere ? place.line : undefined,
  );
}

const CHECK_WITHIN_MS = 5000;

/**
 * Asks Node.js, which prints the position in the first line of its output. Undefined: the fault is in an imported
 * module.
 */
const lineOfSyntaxError = (file: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    execFile(process.execPath, ["--check", file], { timeout: CHECK_WITHIN_MS }, (_error, _stdout, stderr) => {
      const line = /^[^\n]*:(\d+)\n/.exec(stderr)?.[1];
      resolve(line === undefined ? undefined : Number(line));
    });
  });
