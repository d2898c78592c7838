// Builds the page from the sources in browser/: `node src/page/bundle.ts DIRECTORY`, part of `npm run build`.

import { readdir, readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import type { BuildOptions, Metafile } from "esbuild";

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
  const built = await Promise.all(
    BUNDLES.map(async (names) => {
      const entryPoints = names.map((name) => join(SOURCES, name));
      return esbuild.build({ ...options, metafile: true, entryPoints });
    }),
  );
  const bundled = built.flatMap(({ outputFiles }) =>
    outputFiles.map(({ path, contents }) => [basename(path), contents] as const),
  );
  const plain = (await readdir(SOURCES)).filter((name) => AS_IT_IS.test(name));
  const copied = plain.map(async (name) => [name, await readFile(join(SOURCES, name))] as const);
  const files = new Map<string, Uint8Array>([...bundled, ...(await Promise.all(copied))]);
  const links = built.flatMap(({ metafile }) => importsOf(metafile, "app.js")).map(preload);
  const html = Buffer.from(files.get("index.html") ?? "").toString();
  return files.set("index.html", Buffer.from(html.replace("</head>", `${links.join("")}</head>`)));
}

/** The chunks without which a bundle does not run: a browser would find them only after it has parsed that. */
const importsOf = ({ outputs }: Metafile, name: string): string[] =>
  Object.entries(outputs)
    .filter(([path]) => basename(path) === name)
    .flatMap(([, { imports }]) => imports)
    .flatMap(({ kind, path }) => (kind === "import-statement" ? [basename(path)] : []));

const preload = (name: string): string => `<link rel="modulepreload" href="/${name}" />`;

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
