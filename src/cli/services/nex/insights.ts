// nexusctl insights: searches everything Nex has said, as remembered by the daemon.

import type { Command } from "commander";
import type { LoggedView } from "../../../contract/api/views.ts";
import { isObject } from "../../../core/is-object.ts";
import { count, moment } from "../../arguments.ts";
import { type Act, jsonOf } from "../../context.ts";
import { age } from "../../terminal/output.ts";

const HEAD = ["RECEIVED", "TYPE", "SURE", "ABOUT", "INSIGHT"];

interface InsightsOptions {
  type?: string;
  target?: string;
  text?: string;
  minConfidence?: string;
  since?: string;
  until?: string;
  limit: number;
}

export function addInsights(program: Command, act: Act): void {
  program
    .command("insights")
    .description("print the insights received from Nex, newest first")
    .option("--type <type>", "only of this type, such as risk or opportunity")
    .option("--target <words>", "only about a person or company with these words")
    .option("--text <words>", "only with these words, or words that begin with them")
    .option("--min-confidence <number>", "only with at least this confidence, from 0 to 1")
    .option(
      "--since <time>",
      "only insights received since then: 2026-03-01, 2026-03-01T12:00:00Z or 24h",
      moment,
    )
    .option("--until <time>", "only insights received until then", moment)
    .option("--limit <count>", "how many at most", count, 20)
    .action(
      act(async ({ client, output, io }, options: InsightsOptions) => {
        const answer = await client.insights({ ...options, signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(answer));
        const { asOf, insights } = answer;
        await output.table(HEAD, insights.map(row));
        output.note(`as of ${age(asOf)}`);
      }),
    );
}

// Fields of an unknown shape are left empty: the JSON has everything.
const row = ({ time, insight }: LoggedView): (string | null)[] => {
  const { type, confidence, target, entities, content } = fieldsOf(insight);
  const about = fieldsOf(target).hint ?? fieldsOf(Array.isArray(entities) ? entities[0] : undefined).name;
  return [age(time), ...[type, confidence, about, content].map(cell)];
};

const cell = (value: unknown) =>
  typeof value === "string" || typeof value === "number" ? String(value) : null;

/** The fields of untrusted data, whatever it is. */
const fieldsOf = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});
