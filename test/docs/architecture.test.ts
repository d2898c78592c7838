import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FLOORS } from "../../tools/floors.ts";

test.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("each path that %s names is there", (page) => {
  const named = readFileSync(page, "utf8").match(/`[\w.-]+\/[\w./-]*`/g) ?? [];
  // What is imported as nexusd/client is no file.
  const paths = named.map((path) => path.slice(1, -1)).filter((path) => !path.startsWith("nexusd/"));
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});

test("ARCHITECTURE.md has the floors as they are enforced", () => {
  const rows = readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^\| `(\w+)\/` \|/gm);
  expect([...rows].map(([, folder]) => folder)).toEqual(FLOORS.toReversed());
});
