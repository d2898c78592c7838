// What a browser loads, as the build makes it.

import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { bundlePage } from "../../src/page/bundle.ts";

const MOST_BYTES = 60_000;

test("the whole page is at most 60 kB gzipped, with no script or style in its HTML", async () => {
  const files = [...((await bundlePage()) ?? [])];
  const weights = files.map(([name, body]) => ({ name, bytes: gzipSync(body, { level: 9 }).length }));
  expect(weights.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["app.css", "app.js", "index.html"]),
  );
  const bytes = weights.reduce((sum, one) => sum + one.bytes, 0);
  expect(bytes, JSON.stringify(weights)).toBeLessThanOrEqual(MOST_BYTES);
  for (const [name, body] of files)
    if (name.endsWith(".html")) {
      const html = Buffer.from(body).toString();
      expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
    }
});
