// The cost of storms, as a table for docs/limits.md: node test/hostile/figures.ts [ROOT] [SECONDS] [NAME]. ROOT is the
// checkout to measure, with its node_modules (default: this one), NAME a part of a storm's name.

import { resolve } from "node:path";
import { measureStorm } from "./scene.ts";
import { STORMS } from "./storms.ts";

const [root = new URL("../..", import.meta.url).pathname, seconds = "8", only = ""] = process.argv.slice(2);
const print = (line: string) => process.stdout.write(`${line}\n`);

print(
  "| storm | operator p50 | p99 | longest | p99 of the idle one | without a ping | resident | the agent was told |",
);
print("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const name of Object.keys(STORMS).filter((name) => name.includes(only))) {
  const { ended, operator, beside, longestWithoutPing, residentMiB, told } = await measureStorm(
    resolve(root),
    name,
    Number(seconds),
  );
  const ms = (value: number) => `${Math.round(value)} ms`;
  const said = Object.entries(told)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3)
    .map(([what, times]) => `${times} × ${what}`)
    .join(", ");
  const end = ended === null ? "" : ` **ended: ${ended}**`;
  const columns = [
    name,
    ...[operator.p50, operator.p99, operator.max, beside.p99, longestWithoutPing].map(ms),
    `${Math.round(residentMiB)} MiB${end}`,
    said || "-",
  ];
  print(`| ${columns.join(" | ")} |`);
}
