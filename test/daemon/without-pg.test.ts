// SQLite users pay nothing for PostgreSQL: its library is loaded only where it is used.

import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

/** The files of pg loaded by a process that imports these modules. */
const loadedBy = (...files: string[]): string[] =>
  JSON.parse(
    execFileSync(
      process.execPath,
      [
        "--input-type=module",
        "--eval",
        `${files.map((file) => `await import(${JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href)});`).join("\n")}
         const { createRequire } = await import("node:module");
         const { cache } = createRequire(import.meta.url);
         console.log(JSON.stringify(Object.keys(cache).filter((path) => path.includes("/node_modules/pg/"))));`,
      ],
      { encoding: "utf8" },
    ),
  );

test("the daemon and nexusctl load pg only for a store on PostgreSQL", () => {
  expect(loadedBy("daemon/daemon.ts", "cli/program.ts", "cli/db.ts")).toEqual([]);
  expect(loadedBy("store/postgres/store.ts")).not.toEqual([]);
});
