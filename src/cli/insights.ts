// nexusctl insights: what Nex ever said, out of the memory of the daemon.

import type { Command } from "commander";
import { count, moment } from "./arguments.ts";
import { parsed } from "./client.ts";
import type { Act } from "./context.ts";
import { age } from "./output.ts";

const HEAD = ["RECEIVED", "TYPE", "SURE", "ABOUT", "INSIGHT"];

interface Remembered {
  time: string;
  insight?: {
    type?: unknown;
    content?: unknown;
    confidence?: unknown;
    target?: { hint?: unknown };
    entities?: { name?: unknown }[];
  };
}

export function addInsights(program: Command, act: Act): void {
  program
    .command("insights")
    .description("print the insights that Nex ever gave, the newest first")
    .option("--type <type>", "only of this type, such as risk or opportunity")
    .option("--target <words>", "only about whom these words name")
    .option("--text <words>", "only with these words in them; each may be the beginning of one")
    .option("--min-confidence <number>", "only those that are at least so sure, from 0 to 1")
    .option("--since <time>", "only those received since: 2026-03-01, 2026-03-01T12:00:00Z or 24h", moment)
    .option("--until <time>", "only those received until then", moment)
    .option("--limit <count>", "how many at most", count, 20)
    .action(
      act(async ({ client, output, io }, options: Record<string, string | number>) => {
        const query = new URLSearchParams(
          Object.entries(options).map(([name, value]): [string, string] => [name, String(value)]),
        );
        const answer = await client.call("GET", `/v1/nex/insights?${query}`, { signal: io.signal });
        if (!output.isHuman) return await output.json(answer.text.trim());
        const { asOf, insights } = parsed<{ asOf: string | null; insights: Remembered[] }>(answer);
        await output.table(HEAD, insights.map(row));
        output.note(`as of ${age(asOf)}`);
      }),
    );
}

// What is of no known shape is left empty: everything of it is in the JSON.
const row = ({ time, insight }: Remembered): (string | null)[] => [
  age(time),
  ...[insight?.type, insight?.confidence, insight?.target?.hint ?? insight?.entities?.[0]?.name].map(cell),
  cell(insight?.content),
];

const cell = (value: unknown) =>
  typeof value === "string" || typeof value === "number" ? String(value) : null;
