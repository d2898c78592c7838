// `npm run bench -- NAME [NAME…]`: runs benchmarks, each of which prints one JSON line per figure.

import { readdirSync } from "node:fs";

/** Modules shared by benchmarks. */
const PARTS = [
  "run.ts",
  "figure.ts",
  "process.ts",
  "traffic.ts",
  "polled.ts",
  "fetcher.ts",
  "watch-shop.ts",
  "watch-pass.ts",
];

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts") && !PARTS.includes(file))
  .map((file) => file.slice(0, -3));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !names.includes(name));
if (asked.length === 0 || unknown.length > 0) {
  console.error(`Usage: npm run bench -- NAME…, where NAME is one of: ${names.join(", ")}`);
  process.exit(2);
}
for (const name of asked) await import(`./${name}.ts`);
