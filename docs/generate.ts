// Writes the pages that are made from declarations: node docs/generate.ts [--check]

import { readFileSync, writeFileSync } from "node:fs";
import { type Catalogue, catalogue, inputSchema } from "../src/services/catalogue.ts";
import type { Operation } from "../src/services/operation.ts";
import { errorsPage } from "./errors-page.ts";
import { eventsPage } from "./events-page.ts";
import { metricsPage } from "./metrics-page.ts";
import { fieldRows, type Schema, table } from "./schema-table.ts";

const INTRODUCTION = `# Operations

Everything that nexusd can ask of the services. A read is answered at once; a write is proposed, and carried out when
it is approved. This page is generated (\`npm run docs\`) from the same declarations as \`GET /v1/operations\`, which has
the JSON Schema of each input, and \`nexusctl operations\`.

\`\`\`sh
nexusctl read nexus.stock.get sku=TSHIRT-M-BLK
nexusctl write nexus.orders.update_status orderId=… orderStatus=confirmed --reason "the customer paid"
\`\`\`

What lists pages has \`next\`: given back as \`after\` it gives what comes after, and null is the end.

The tools that the MCP server of Nexus lists are operations too, \`nexus.mcp.<tool>\`, with the input schema that the
server gives; \`nexusctl operations --service nexus\` shows them. Those that Nexus publishes as reads are reads, and
those in \`nexus.mcp_reads\`; every other tool is a write that an operator has to approve, whatever it says of itself.
A write is sent once, with exactly the JSON-RPC request that the preview shows, and not at all where the tool has
changed since. Where it has changed since a write with it was last approved, the preview says so.

Rows and records come in the fields of the service. Integers above 2^53 keep their digits, in both directions.
`;

/** The whole page, as Markdown. */
export function operationsPage(from: Catalogue): string {
  const services = Map.groupBy(from.all(), ({ service }) => service);
  const sections = [...services].map(([service, operations]) =>
    [`## ${service}`, overview(operations), ...operations.map(section)].join("\n\n"),
  );
  return `${[INTRODUCTION, ...sections].join("\n\n")}\n`.replace(/\n\n\n+/g, "\n\n");
}

const overview = (operations: Operation[]) =>
  table(
    ["operation", "effect", ""],
    operations.map(({ name, effect, title }) => [
      `[\`${name}\`](#${name.replaceAll(".", "")})`,
      effect,
      title,
    ]),
  );

function section(operation: Operation): string {
  // What z.toJSONSchema makes of an object; the page would show it where it were something else.
  const schema = inputSchema(operation) as Schema;
  const rows = fieldRows(schema);
  return [
    `### ${operation.name}`,
    `${operation.description}\n${effectOf(operation)}`,
    `\`\`\`sh\n${["nexusctl", operation.effect, operation.name, ...required(schema)].join(" ")}\n\`\`\``,
    rows.length > 0 ? table(["field", "type", "", ""], rows) : "",
    operation.howToFindOut ? `Where the outcome stays unknown: ${operation.howToFindOut}` : "",
  ]
    .filter(Boolean)
    .join("\n\n");
}

function effectOf({ effect, idempotent, destructive, precondition, readBack }: Operation): string {
  if (effect === "read") return "A read.";
  const parts = [
    destructive ? "A write that deletes permanently" : "A write",
    idempotent ? "repeated until it is answered" : "sent once",
    precondition ? "not carried out where what the proposal showed has changed" : "",
    readBack ? "looked up where its answer is lost" : "",
  ];
  return `${parts.filter(Boolean).join("; ")}.`;
}

const required = ({ required: names = [] }: Schema) => names.map((name) => `${name}=…`);

const PAGES = [
  { file: "operations.md", page: () => operationsPage(catalogue) },
  { file: "events.md", page: eventsPage },
  { file: "errors.md", page: errorsPage },
  { file: "metrics.md", page: metricsPage },
];

if (import.meta.main) {
  for (const { file, page } of PAGES) {
    const url = new URL(`./${file}`, import.meta.url);
    const text = await page();
    if (!process.argv.includes("--check")) writeFileSync(url, text);
    else if (readFileSync(url, "utf8") !== text) {
      process.stderr.write(`docs/${file} is not current: npm run docs\n`);
      process.exitCode = 1;
    }
  }
}
