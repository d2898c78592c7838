// Builds the page from the sources in browser/: `node src/page/bundle.ts DIRECTORY`, part of `npm run build`.

import { readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BuildOptions } from "esbuild";

const SOURCES = new URL("browser/", import.meta.url).pathname;
/**
 * Separate bundles. The files of the first can be loaded without authorization, so it shares none with the second; the
 * page itself loads its plots on demand.
 */
const BUNDLES = [["open.ts"], ["app.tsx", "app.css"]];
/** Served unchanged. */
const AS_IT_IS = /\.(?:html|svg|png)$/;

const options = {
  ...{ bundle: true, splitting: true, minify: true, format: "esm", target: "es2024", charset: "utf8" },
  ...{ jsx: "automatic", jsxImportSource: "preact", legalComments: "none", write: false, outdir: "/" },
} as const satisfies BuildOptions;

/** By name. @returns undefined without esbuild, as in an installed package */
export async function bundlePage(): Promise<ReadonlyMap<string, Uint8Array> | undefined> {
  const esbuild = await import("esbuild").catch(() => undefined);
  if (!esbuild) return undefined;
  const built = BUNDLES.map(async (names) => {
    const entryPoints = names.map((name) => join(SOURCES, name));
    const { outputFiles } = await esbuild.build({ ...options, entryPoints });
    return outputFiles.map(({ path, contents }) => [basename(path), contents] as const);
  });
  const plain = (await readdir(SOURCES)).filter((name) => AS_IT_IS.test(name));
  const copied = plain.map(async (name) => [name, await readFile(join(SOURCES, name))] as const);
  return new Map([...(await Promise.all(built)).flat(), ...(await Promise.all(copied))]);
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
