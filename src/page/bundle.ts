// Builds the page of the sources in browser/: `node src/page/bundle.ts DIRECTORY`, as a part of `npm run build`.

import { readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BuildOptions } from "esbuild";

const SOURCES = new URL("browser/", import.meta.url).pathname;
/** Each is one file of script, with everything that it imports. */
const ENTRIES = ["app.ts", "open.ts"];
/** Served as they are. */
const AS_IT_IS = /\.(?:html|svg|png)$/;

const options = {
  entryPoints: [...ENTRIES, "app.css"].map((name) => join(SOURCES, name)),
  ...{ bundle: true, minify: true, format: "esm", target: "es2023", charset: "utf8" },
  ...{ jsx: "automatic", jsxImportSource: "preact", legalComments: "none", write: false },
} as const satisfies BuildOptions;

/** By name. @returns undefined where there is no esbuild: in an installed package */
export async function bundlePage(): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const esbuild = await import("esbuild").catch(() => undefined);
  if (!esbuild) return undefined;
  const { outputFiles } = await esbuild.build({ ...options, outdir: "/" });
  const built = outputFiles.map(({ path, contents }) => [basename(path), contents] as const);
  const plain = (await readdir(SOURCES)).filter((name) => AS_IT_IS.test(name));
  const copied = plain.map(async (name) => [name, await readFile(join(SOURCES, name))] as const);
  return new Map([...built, ...(await Promise.all(copied))]);
}

if (import.meta.main) {
  const { mkdir, writeFile } = await import("node:fs/promises");
  const directory = process.argv[2];
  const files = await bundlePage();
  if (directory === undefined || !files)
    throw new Error("usage: node src/page/bundle.ts DIRECTORY, with esbuild installed");
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  for (const [name, contents] of files) await writeFile(join(directory, name), contents);
}
