// The files of the page: from the build, or built from source when running from a checkout.

import { readdir, readFile } from "node:fs/promises";
import { extname } from "node:path";

export interface Asset {
  type: string;
  body: Uint8Array;
}

/** By name, such as "app.js". Nothing else can be requested. */
export type Assets = ReadonlyMap<string, Asset>;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
};

/** The page has not been built, and cannot be built here. */
export class NoPage extends Error {
  override readonly name = "NoPage";
}

/** @throws NoPage */
export async function loadAssets(): Promise<Assets> {
  // The sources exist, so an earlier build may be outdated.
  if (import.meta.filename.endsWith(".ts")) {
    const { bundlePage } = await import("./bundle.ts");
    const files = await bundlePage();
    if (files) return asAssets(files);
  }
  // dist/page, from dist/src/page/ as well as from src/page/ and from a bundle in dist/src/cli/.
  for (const place of ["../../page/", "../../dist/page/"]) {
    const folder = new URL(place, import.meta.url);
    const names = await readdir(folder).catch(() => []);
    const files = names.map(async (name) => [name, await readFile(new URL(name, folder))] as const);
    if (names.length > 0) return asAssets(new Map(await Promise.all(files)));
  }
  throw new NoPage("The page is not built here. Build it with: npm run build");
}

const asAssets = (files: ReadonlyMap<string, Uint8Array>): Assets =>
  new Map(
    [...files].flatMap(([name, body]) => {
      const type = TYPES[extname(name)];
      return type === undefined ? [] : [[name, { type, body }]];
    }),
  );
