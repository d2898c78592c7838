// Bundles nexusctl into a few files: `node src/cli/bundle/bundle.ts DIRECTORY`, part of `npm run build`, and of
// `npm ci` in a checkout. Loading 60 modules takes twice the time and 10 MB more. Commands that need the daemon's own
// code are not bundled: start.ts loads the modules themselves.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import type { Metafile, Plugin } from "esbuild";
import { SERVICES } from "../../services/list.ts";
import { writeStamps } from "./sources.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const SRC = join(ROOT, "src");
const ENTRIES = ["start", "light", "mcp"];
const SOURCES = "sources.json";

/** Loaded only by commands that are not light (light-commands.ts), from modules that light ones share. */
const HEAVY = /\/(?:statement-bundle|\w+-sh-state)\.ts$/;
/** zod's error messages in sixty languages, except English. */
const LOCALES = /\/zod\/v4\/locales\/([a-df-z]|e[a-mo-z])[\w-]*\.js$/;
/** From the MCP library: a validator for answers to questions that the server never asks. */
const SHIMS = /\/@modelcontextprotocol\/server\/dist\/shimsNode\.mjs$/;

const OF_COMMANDER: Readonly<Record<string, string>> = {
  "node:child_process": "export default {};",
  "node:process": "export default process;",
  "node:util":
    'export const stripVTControlCharacters = (text) => process.getBuiltinModule("node:util").stripVTControlCharacters(text);',
};

/** @param whole the directory of the unbundled modules, with their extension */
const parts = (outdir: string, whole: { directory: string; ending: string }): Plugin => ({
  name: "parts of nexusctl",
  setup(build) {
    // 2 MB less for commander: support for programs as commands, which are not used, and what only its help needs.
    build.onResolve({ filter: /^node:/ }, ({ importer, path }) =>
      importer.includes("/commander/") && path in OF_COMMANDER ? { path, namespace: "lazy" } : undefined,
    );
    build.onLoad({ filter: /./, namespace: "lazy" }, ({ path }) => ({ contents: OF_COMMANDER[path] ?? "" }));
    // An import reads every export and loads what is behind each: 4 MB for the modules used here.
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin" }));
    build.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
    build.onLoad({ filter: HEAVY }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${relative(ROOT, path)} is not in the bundle`)});`,
    }));
    // Of the services nexusctl needs only what they are called, and nothing of their code.
    build.onLoad({ filter: /\/services\/list\.ts$/ }, () => ({ contents: listOfNames() }));
    build.onLoad({ filter: LOCALES }, ({ path }) =>
      path.endsWith("/index.js") ? undefined : { contents: "export default () => ({});" },
    );
    build.onLoad({ filter: SHIMS }, () => ({
      contents: "export class DefaultJsonSchemaValidator {} const own = process; export { own as process };",
    }));
    // Modules find files such as package.json by their own path, so that path stays that of the original module.
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const module = join(whole.directory, relative(SRC, path)).replace(/\.ts$/, whole.ending);
      const place = `require("node:path").join(__dirname, ${JSON.stringify(relative(outdir, module))})`;
      const url = `require("node:url").pathToFileURL(${place}).href`;
      const contents = text
        .replaceAll("import.meta.url", url)
        // The namespace as an object would keep all of zod; this way only what is used is kept.
        .replace('import { z } from "zod";', 'import * as z from "zod";');
      return { contents, loader: "ts" };
    });
  },
});

function listOfNames(): string {
  const names = SERVICES.map(({ name, title }) => ({ name, title }));
  return `export const SERVICES = ${JSON.stringify(names)};
    export const SERVICE_NAMES = SERVICES.map(({ name }) => name);`;
}

/** @returns false without esbuild, as in an installed package */
export async function bundle(outdir: string, forCheckout: boolean): Promise<boolean> {
  const esbuild = await import("esbuild").catch(() => undefined);
  if (!esbuild) return false;
  const whole = forCheckout
    ? { directory: SRC, ending: ".ts" }
    : { directory: join(outdir, "../src"), ending: ".js" };
  await rm(outdir, { recursive: true, force: true });
  const main = join(whole.directory, `cli/main${whole.ending}`);
  const { metafile } = await esbuild.build({
    entryPoints: ENTRIES.map((name) => join(import.meta.dirname, `${name}.ts`)),
    ...{ outdir, outExtension: { ".js": ".cjs" }, absWorkingDir: ROOT, metafile: true, logLevel: "warning" },
    ...{ bundle: true, platform: "node", format: "cjs", target: "node22", legalComments: "none" },
    ...{ minifyWhitespace: true, minifySyntax: true },
    external: ["./light.cjs", "./mcp.cjs"],
    define: {
      WHOLE: JSON.stringify(relative(outdir, main)),
      SOURCES: forCheckout ? JSON.stringify(SOURCES) : "null",
    },
    plugins: [parts(outdir, whole)],
  });
  if (process.env.META) await writeFile(process.env.META, JSON.stringify(metafile));
  await writeFile(join(outdir, "package.json"), '{ "type": "commonjs" }\n');
  await writeFile(join(outdir, "LICENSES.txt"), await licencesOf(metafile));
  if (forCheckout) writeStamps(join(outdir, SOURCES), ownSources(metafile));
  return true;
}

const inputsOf = (metafile: Metafile): string[] =>
  Object.keys(metafile.inputs).filter((name) => !/^(?:builtin|lazy):/.test(name));

const ownSources = (metafile: Metafile): string[] => [
  ...inputsOf(metafile)
    .filter((name) => !name.includes("node_modules/"))
    .map((name) => join(ROOT, name)),
  join(ROOT, "package.json"),
];

/** The licence of each bundled library, from its package. */
async function licencesOf(metafile: Metafile): Promise<string> {
  const packages = new Set(
    inputsOf(metafile).flatMap((name) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(name) ?? []),
  );
  const texts = [...packages].sort().map(async (directory) => {
    const read = (name: string) => readFile(join(ROOT, directory, name), "utf8");
    const { name, version, license } = JSON.parse(await read("package.json"));
    const text = await Promise.any(["LICENSE", "LICENSE.md", "license", "LICENCE"].map(read)).catch(() => "");
    return `${name} ${version}, ${license}\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(72)}\n\n`);
}

if (import.meta.main) {
  const [directory, option] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: node src/cli/bundle/bundle.ts DIRECTORY [--checkout]");
  await mkdir(dirname(resolve(directory)), { recursive: true });
  if (!(await bundle(resolve(directory), option === "--checkout")))
    process.stderr.write("nexusctl is not bundled: there is no esbuild\n");
}
