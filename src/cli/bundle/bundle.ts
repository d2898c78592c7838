// Bundles nexusctl into a few files: `node src/cli/bundle/bundle.ts DIRECTORY`, part of `npm run build`, and of
// `npm ci` in a checkout. Loading 60 modules takes twice the time and 10 MB more. Commands that need the daemon's own
// code are not bundled: start.ts loads the modules themselves.

import { join, relative } from "node:path";
import type { Plugin } from "esbuild";
import { SERVICES } from "../../services/list.ts";
import { bundleByArguments, ROOT } from "./make.ts";

const ENTRIES = ["start", "light", "mcp"];

/** Loaded only by commands that are not light (light-commands.ts), from modules that light ones share. */
const HEAVY = /\/(?:statement-bundle|\w+-sh-state)\.ts$/;
/** From the MCP library: a validator for answers to questions that the server never asks. */
const SHIMS = /\/@modelcontextprotocol\/server\/dist\/shimsNode\.mjs$/;

const OF_COMMANDER: Readonly<Record<string, string>> = {
  "node:child_process": "export default {};",
  "node:process": "export default process;",
  "node:util":
    'export const stripVTControlCharacters = (text) => process.getBuiltinModule("node:util").stripVTControlCharacters(text);',
};

const parts: Plugin = {
  name: "parts of nexusctl",
  setup(build) {
    // 2 MB less for commander: support for programs as commands, which are not used, and what only its help needs.
    build.onResolve({ filter: /^node:/ }, ({ importer, path }) =>
      importer.includes("/commander/") && path in OF_COMMANDER ? { path, namespace: "lazy" } : undefined,
    );
    build.onLoad({ filter: /./, namespace: "lazy" }, ({ path }) => ({ contents: OF_COMMANDER[path] ?? "" }));
    build.onLoad({ filter: HEAVY }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${relative(ROOT, path)} is not in the bundle`)});`,
    }));
    // Of the services nexusctl needs only what they are called, and nothing of their code.
    build.onLoad({ filter: /\/services\/list\.ts$/ }, () => ({ contents: listOfNames() }));
    build.onLoad({ filter: SHIMS }, () => ({
      contents: "export class DefaultJsonSchemaValidator {} const own = process; export { own as process };",
    }));
  },
};

function listOfNames(): string {
  const names = SERVICES.map(({ name, title }) => ({ name, title }));
  return `export const SERVICES = ${JSON.stringify(names)};
    export const SERVICE_NAMES = SERVICES.map(({ name }) => name);`;
}

if (import.meta.main)
  await bundleByArguments({
    entries: ENTRIES.map((name) => join(import.meta.dirname, `${name}.ts`)),
    main: "cli/main",
    build: {
      ...{ format: "cjs", outExtension: { ".js": ".cjs" }, external: ["./light.cjs", "./mcp.cjs"] },
      plugins: [parts],
    },
  });
