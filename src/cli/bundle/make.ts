// Makes a program of nexusd into a few files, with esbuild: for nexusctl (bundle.ts) and for the daemon.

import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import type { BuildOptions, Metafile, Plugin } from "esbuild";
import { writeStamps } from "./sources.ts";

export const ROOT = resolve(import.meta.dirname, "../../..");
const SRC = join(ROOT, "src");
const SOURCES = "sources.json";

/** zod's error messages in sixty languages, except English. */
const LOCALES = /\/zod\/v4\/locales\/([a-df-z]|e[a-mo-z])[\w-]*\.js$/;

const NOT_ASCII = /[^\0-\x7f]/g;

interface Places {
  outdir: string;
  /** The unbundled modules: their directory and extension. */
  whole: { directory: string; ending: string };
  isModule: boolean;
}

/** What all programs have in common. */
const modules = ({ outdir, whole, isModule }: Places): Plugin => ({
  name: "modules of nexusd",
  setup(build) {
    // An import reads every export and loads what is behind each: 4 MB for the modules that nexusctl uses. Here it reads
    // what is used.
    build.onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) =>
      isBuiltin(path)
        ? {
            path: path.replace(/^(?!node:)/, "node:"),
            namespace: kind === "require-call" ? "required" : "builtin",
          }
        : undefined,
    );
    const builtin = (path: string) => `process.getBuiltinModule(${JSON.stringify(path)})`;
    build.onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({
      contents: `module.exports = ${builtin(path)};`,
    }));
    build.onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: [
        `export default ${builtin(path)};`,
        ...Object.keys(process.getBuiltinModule(path) ?? {})
          .filter((name) => /^\w+$/.test(name) && name !== "default")
          .map((name) => `export const ${name} = /* @__PURE__ */ (() => ${builtin(path)}.${name})();`),
      ].join("\n"),
    }));
    build.onLoad({ filter: LOCALES }, ({ path }) =>
      path.endsWith("/index.js") ? undefined : { contents: "export default () => ({});" },
    );
    // Modules find files such as package.json by their own path, so that path stays that of the original module.
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const module = join(whole.directory, relative(SRC, path)).replace(/\.ts$/, whole.ending);
      const place = JSON.stringify(relative(outdir, module));
      const url = isModule
        ? `new URL(${place}, import.meta.url).href`
        : `require("node:url").pathToFileURL(require("node:path").join(__dirname, ${place})).href`;
      const contents = text
        .replaceAll("import.meta.url", url)
        // esbuild leaves them in regular expressions, and a text with a single one takes twice the memory.
        .replace(NOT_ASCII, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
        // The namespace as an object would keep all of zod; this way only what is used is kept.
        .replace('import { z } from "zod";', 'import * as z from "zod";');
      return { contents, loader: "ts" };
    });
  },
});

export interface Program {
  /** The modules that become files of these names. */
  entries: readonly string[];
  /** The unbundled program, without its extension, from src/. */
  main: string;
  /** What is particular to it; these plugins come first. */
  build: BuildOptions;
}

/** @returns false without esbuild, as in an installed package */
async function bundle(outdir: string, forCheckout: boolean, program: Program): Promise<boolean> {
  const esbuild = await import("esbuild").catch(() => undefined);
  if (!esbuild) return false;
  const whole = forCheckout
    ? { directory: SRC, ending: ".ts" }
    : { directory: join(outdir, "../src"), ending: ".js" };
  await rm(outdir, { recursive: true, force: true });
  const { entries, main, build } = program;
  const isModule = build.format === "esm";
  const { metafile } = await esbuild.build({
    entryPoints: [...entries],
    ...{ outdir, absWorkingDir: ROOT, metafile: true, logLevel: "warning" },
    ...{ bundle: true, platform: "node", target: "node22", legalComments: "none" },
    ...{ minifyWhitespace: true, minifySyntax: true },
    ...build,
    define: {
      ...build.define,
      WHOLE: JSON.stringify(relative(outdir, join(whole.directory, main + whole.ending))),
      SOURCES: forCheckout ? JSON.stringify(SOURCES) : "null",
    },
    plugins: [...(build.plugins ?? []), modules({ outdir, whole, isModule })],
  });
  if (!metafile) throw new Error("esbuild has not said what it did");
  if (process.env.META) await writeFile(process.env.META, JSON.stringify(metafile));
  await writeFile(join(outdir, "package.json"), `{ "type": "${isModule ? "module" : "commonjs"}" }\n`);
  await writeFile(join(outdir, "LICENSES.txt"), await licencesOf(metafile));
  if (forCheckout) writeStamps(join(outdir, SOURCES), ownSources(metafile));
  return true;
}

const inputsOf = (metafile: Metafile): string[] =>
  Object.keys(metafile.inputs).filter((name) => !/^\w+:/.test(name));

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

/** The command of a bundle: `DIRECTORY [--checkout]`. */
export async function bundleByArguments(program: Program): Promise<void> {
  const [directory, option] = process.argv.slice(2);
  if (directory === undefined) throw new Error("usage: node bundle.ts DIRECTORY [--checkout]");
  await mkdir(dirname(resolve(directory)), { recursive: true });
  if (!(await bundle(resolve(directory), option === "--checkout", program)))
    process.stderr.write("nothing is bundled: there is no esbuild\n");
}
