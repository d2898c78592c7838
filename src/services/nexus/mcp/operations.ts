// The tools of the MCP server as operations, `nexus.mcp.<tool>`, and the reading of its resources.

import { z } from "zod";
import { canonicalRecord, digestOf } from "../../../core/canonical-json.ts";
import type { Operation, OperationRequest } from "../../operation.ts";
import { defineOperation, MCP_SESSION, type NexusFacts } from "../facts.ts";
import { MCP_PATH } from "./fetch.ts";
import { inputOf } from "./input-schema.ts";
import { resultOf, toolOutput } from "./results.ts";
import { PUBLISHED_READS, type Tool } from "./tools.ts";

export const PREFIX = "nexus.mcp.";

/** The request as it is sent. A read gets an id from its connection. */
const mcpRequest = (
  facts: NexusFacts,
  method: string,
  params: Record<string, unknown>,
): OperationRequest => ({
  method: "POST",
  origin: facts.origin,
  path: MCP_PATH,
  label: `POST ${MCP_PATH} ${method}`,
  headers: { accept: "application/json, text/event-stream" },
  json: { jsonrpc: "2.0", id: idOf(params), method, params },
  credential: MCP_SESSION,
});

/** Derived from the request, so that what is shown before is what is sent later. */
const idOf = (params: Record<string, unknown>): string =>
  `nexusd-${digestOf(canonicalRecord(params)).slice(0, ID_DIGITS)}`;
const ID_DIGITS = 16;

const RESOURCES = [
  "organization/info",
  "schema/contacts",
  "schema/orders",
  "schema/inventory",
  "schema/social",
];

export const readResource = defineOperation({
  name: "nexus.mcp.read_resource",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Read a resource of the MCP server",
  description: `Information that Nexus publishes about itself: ${RESOURCES.map((path) => `nexus://${path}`).join(", ")} and nexus://schema/conversation-intelligence.`,
  input: z.lazy(() =>
    z.strictObject({
      uri: z
        .string()
        .max(500)
        .regex(/^nexus:\/\/[\w./-]+$/, "must be the URI of a resource, such as nexus://organization/info")
        .describe("The URI of the resource"),
    }),
  ),
  request: ({ uri }, facts) => mcpRequest(facts, "resources/read", { uri }),
  output: (answer) => {
    const { contents } = resultOf(answer, `POST ${MCP_PATH} resources/read`);
    return { contents: contents ?? [] };
  },
});

export interface ToolSettings {
  /** Names of tools that are reads, besides those that the vendor publishes as such. */
  reads: readonly string[];
  /** The hash of the tool when an operator last approved a write with it; undefined: never. */
  approvedHash(tool: string): string | undefined;
}

/** The operation of a tool. A tool that is not known to be a read is a write, whatever it claims. */
export function toolOperation(tool: Tool, { reads, approvedHash }: ToolSettings): Operation {
  const { name, title, description, inputSchema, isChecked, isDestructive, hash } = tool;
  const isRead = PUBLISHED_READS.has(name) || reads.includes(name);
  const label = `POST ${MCP_PATH} tools/call`;
  const operation = defineOperation<Record<string, unknown>>({
    name: PREFIX + name,
    service: "nexus",
    effect: isRead ? "read" : "write",
    idempotent: isRead,
    destructive: !isRead && isDestructive,
    title,
    description:
      `${description}${isChecked ? "" : " (nexusd cannot read the schema of its input: only Nexus checks it.)"}`.trim(),
    inputSchema,
    input: z.lazy(() => inputOf(inputSchema)),
    request: (input, facts) => mcpRequest(facts, "tools/call", { name, arguments: input }),
    output: (answer) => toolOutput(answer, label),
    ...(!isRead && {
      // The tool must still be the one that was listed when the proposal was shown.
      precondition: async () => ({ tool: name, version: hash }),
      notice: () => {
        const approved = approvedHash(name);
        return approved === undefined || approved === hash
          ? undefined
          : "Nexus has changed this tool (its description or its input) since a write with it was last approved.";
      },
      howToFindOut: "Look in Nexus for its effect, with the reads that show it (nexusctl operations).",
    }),
  });
  // As in the catalogue: its caller passes the functions what the operation's own `input` has parsed.
  return operation as Operation;
}
