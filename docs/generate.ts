// Writes docs/operations.md from the catalogue: node docs/generate.ts [--check]

import { readFileSync, writeFileSync } from "node:fs";
import { type Catalogue, catalogue, inputSchema } from "../src/services/catalogue.ts";
import type { Operation } from "../src/services/operation.ts";

const FILE = new URL("./operations.md", import.meta.url);

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

/** The parts of JSON Schema that inputs use. */
interface Schema {
  type?: string;
  format?: string;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

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
    destructive ? "A write that deletes for good" : "A write",
    idempotent ? "repeated until it is answered" : "sent once",
    precondition ? "not carried out where what the proposal showed has changed" : "",
    readBack ? "looked up where its answer is lost" : "",
  ];
  return `${parts.filter(Boolean).join("; ")}.`;
}

const required = ({ required: names = [] }: Schema) => names.map((name) => `${name}=…`);

/** One row for a field; those of an object in it follow, by their path. */
const fieldRows = ({ properties = {}, required: names = [] }: Schema, prefix = ""): string[][] =>
  Object.entries(properties).flatMap(([name, field]) => [
    [
      `\`${prefix}${name}\``,
      typeOf(field),
      names.includes(name)
        ? "required"
        : "default" in field
          ? `default ${JSON.stringify(field.default)}`
          : "",
      field.description ?? "",
    ],
    ...fieldRows(field, `${prefix}${name}.`),
  ]);

function typeOf({ type, format, items, anyOf, minimum, maximum }: Schema): string {
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  if (type === "array") return `list of ${items ? typeOf(items) : "anything"}`;
  if (type === "integer") {
    const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
    return isBounded ? `integer, ${minimum} to ${maximum}` : `integer from ${minimum ?? 0}`;
  }
  if (type === "string") return FORMATS[format ?? ""] ?? "text";
  return type ?? "any JSON";
}

const FORMATS: Record<string, string> = {
  uuid: "UUID",
  "date-time": "time (RFC 3339)",
  email: "e-mail address",
};

const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");

if (import.meta.main) {
  const page = operationsPage(catalogue);
  if (!process.argv.includes("--check")) writeFileSync(FILE, page);
  else if (readFileSync(FILE, "utf8") !== page) {
    process.stderr.write("docs/operations.md is not current: npm run docs\n");
    process.exitCode = 1;
  }
}
