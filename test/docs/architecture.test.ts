import { existsSync, globSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FLOORS } from "../../tools/floors.ts";

test.each(["ARCHITECTURE.md", "CONTRIBUTING.md"])("each path that %s names exists", (page) => {
  const named = readFileSync(page, "utf8").match(/`[\w.-]+\/[\w./-]*`/g) ?? [];
  // The import nexusd/client is not a file.
  const paths = named.map((path) => path.slice(1, -1)).filter((path) => !path.startsWith("nexusd/"));
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.filter((path) => !existsSync(path) && !existsSync(`src/${path}`))).toEqual([]);
});

test("ARCHITECTURE.md has the floors as enforced", () => {
  const rows = readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^\| `(\w+)\/` \|/gm);
  expect([...rows].map(([, folder]) => folder)).toEqual(FLOORS.toReversed());
});

/** Paths in backticks; `<name>` stands for any. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`([\w./<>-]+(?:\/|\.(?:ts|md|toml|yml)))`/g)].map(([, path = ""]) => path);

const recipes = [...readFileSync("CONTRIBUTING.md", "utf8").matchAll(/^\*\*(.+?)\.\*\* (.+)$/gm)].map(
  ([, title = "", text = ""]) => ({ title, text }),
);

test.each(recipes)("the recipe's files exist: $title", ({ title, text }) => {
  const row = [...readFileSync("ARCHITECTURE.md", "utf8").matchAll(/^\| (.+?) \| (.+) \|$/gm)].find(
    ([, what = ""]) => what.toLowerCase() === title.toLowerCase(),
  );
  const first = pathsIn(row?.[2] ?? "");
  expect(first, "a row of its own in ARCHITECTURE.md").not.toEqual([]);
  const paths = [...first, ...pathsIn(text)];
  const folders = paths.flatMap((path) => {
    const folder = path.endsWith("/") ? path : path.replace(/[^/]*$/, "");
    return ["", "src/"].map((at) => `${at}${folder}`.replace(/<\w+>/g, "*"));
  });
  for (const path of paths) {
    const pattern = path.replace(/<\w+>/g, "*");
    // A bare name is a file in a folder that the recipe names.
    const places = path.includes("/") ? [pattern, `src/${pattern}`] : folders.map((at) => `${at}${pattern}`);
    expect(
      places.some((place) => globSync(place).length > 0),
      `${path} is there`,
    ).toBe(true);
  }
  // A recipe's first file is in it too.
  const [begin = ""] = first;
  expect(text).toContain(begin.slice(begin.lastIndexOf("/", begin.length - 2) + 1));
});

test("each row of what may be added has a recipe", () => {
  expect(recipes.length).toBeGreaterThan(9);
});
