// Configuration files for tests, on disk, and the results of loading them.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, formatProblem, type Problem } from "../../src/config/error.ts";
import { loadConfig } from "../../src/config/load.ts";

/** The secrets that `REFERENCES` names, none of which may ever be shown. */
export const ENV = {
  NEX_API_KEY: "sk-nex-value-that-must-not-be-shown",
  NEXUS_API_KEY: "nexus-api-value-that-must-not-be-shown",
  NEXUS_ANON_KEY: "nexus-anon-value-that-must-not-be-shown",
};

/** The references that an otherwise empty configuration needs, as dotted keys before any table. */
export const REFERENCES = `
nex.api_key = { source = "env", id = "NEX_API_KEY" }
nexus.api_key = { source = "env", id = "NEXUS_API_KEY" }
nexus.anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
`;

const directory = mkdtempSync(join(tmpdir(), "nexusd-config-"));
let files = 0;

export function tomlFile(content: string | Uint8Array): string {
  const path = join(directory, `${++files}.toml`);
  writeFileSync(path, content);
  return path;
}

type Env = Record<string, string | undefined>;

/** The problems of a file with this content; an empty list if it loads. */
export function problemsOf(content: string | Uint8Array, env: Env = ENV): Problem[] {
  return problemsAt(tomlFile(content), env);
}

export function problemsAt(path: string, env: Env = ENV): Problem[] {
  try {
    loadConfig({ path, env });
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems;
  }
}

/** As `nexusd check` prints them, with the file called "f". */
export const linesOf = (content: string | Uint8Array, env: Env = ENV): string[] =>
  problemsOf(content, env).map((problem) => formatProblem("f", problem));
