// operations_find, operations_describe, read: finding the operations of the services, and calling reads.

import { z } from "zod";
import type { OperationView } from "../../contract/api/operations.ts";
import { nearest } from "../../core/text/nearest.ts";
import { find } from "../find.ts";
import { cut, note, plain, UNTRUSTED_NOTE, untrusted } from "../foreign.ts";
import { object, offset, text, whole } from "../input.ts";
import { withNumbers } from "../numbers.ts";
import { defineTool, ToolError } from "../tool.ts";

const DEFAULT_LIMIT = 8;
const LONGEST_READ_MS = 50_000;

const summary = z.object({
  name: z.string().describe("What operations_describe, read and propose take as `operation`"),
  effect: z.enum(["read", "write"]).describe("read: call read; write: call propose"),
  approval: z.string().optional().describe("Of a write: operator (a person decides), auto, deny"),
  destructive: z.boolean().describe("Whether it deletes permanently"),
  title: z.string().optional(),
  description: z.string().optional(),
  untrusted: untrusted("title and description, where the service itself wrote them").optional(),
});

function summaryOf(operation: OperationView): z.input<typeof summary> {
  const { name, effect, approval, destructive, title, description } = operation;
  const words = { title, description };
  return {
    ...{ name, effect, destructive },
    ...(approval !== null && { approval }),
    ...(operation.describedBy === "service" ? { untrusted: words } : words),
  };
}

export const operationsFind = defineTool({
  name: "operations_find",
  title: "Find an operation",
  description:
    "Finds what the services can be asked to do, by a question or by words: the best match first. There are more than a hundred operations (messages, contacts, tasks, notes, orders, stock, customers, shipments, chats); look here before you say that something cannot be done.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({
    query: text(500, 'What you want to do, such as "mark an order as shipped"'),
    effect: z.enum(["read", "write"]).optional().describe("Only reads, or only writes"),
    service: text(40, "Only those of one service").optional(),
    limit: whole(1, 30, `How many at most; ${DEFAULT_LIMIT} where left out`).optional(),
  }),
  output: z.object({ operations: z.array(summary), note }),
  run: async ({ query, effect, service, limit = DEFAULT_LIMIT }, { client, signal }) => {
    const all = await client.operations({ effect, service, signal });
    return { operations: find(query, all).slice(0, limit).map(summaryOf), note: UNTRUSTED_NOTE };
  },
});

export const operationsDescribe = defineTool({
  name: "operations_describe",
  title: "Describe an operation",
  description:
    "Says what one operation does and what input it takes, as JSON Schema. Look before you call it.",
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({ operation: text(200, "Its name, as operations_find has it"), offset }),
  output: summary.extend({
    idempotent: z.boolean().describe("Whether it is safe to repeat"),
    inputSchema: z.looseObject({}).optional().describe("JSON Schema of the input of read or propose"),
    more: z.string().optional(),
    note,
  }),
  run: async ({ operation, offset }, { client, signal }) => {
    const all = await client.operations({ signal });
    const found = all.find(({ name }) => name === operation);
    if (found === undefined) throw unknownOperation(operation, all);
    const { value, nextOffset } = cut(found.inputSchema, { offset: offset ?? 0 });
    const schema = plain(value) as Record<string, unknown>; // a JSON Schema, or a part of its text
    const { untrusted: words, ...rest } = summaryOf(found);
    return {
      ...rest,
      idempotent: found.idempotent,
      ...(words ? { untrusted: { ...words, inputSchema: schema } } : { inputSchema: schema }),
      ...(nextOffset !== undefined && {
        more: `The schema is longer than one answer: the same with offset=${nextOffset} gives its next part.`,
      }),
      note: UNTRUSTED_NOTE,
    };
  },
});

export const read = defineTool({
  name: "read",
  title: "Read from a service",
  description:
    "Asks a service by an operation whose effect is read, and gives what it answers. It changes nothing.",
  annotations: { readOnlyHint: true, openWorldHint: true },
  input: z.strictObject({
    operation: text(200, "The name of an operation whose effect is read"),
    input: object("As the operation's inputSchema has it; left out: {}").optional(),
    offset,
  }),
  output: z.object({
    untrusted: untrusted("output: what the service answered, or a part of its JSON text"),
    more: z.string().optional().describe("How to get what did not fit into this answer"),
    note,
  }),
  run: async ({ operation, input = {}, offset }, { client, signal: caller }) => {
    const signal = AbortSignal.any([caller, AbortSignal.timeout(LONGEST_READ_MS)]);
    const { output } = await withNumbers({ client, signal }, operation, input, (input) =>
      client.read(operation, input, { signal }),
    );
    const { value, nextOffset } = cut(output, { offset: offset ?? 0 });
    return {
      untrusted: { output: plain(value) },
      ...(nextOffset !== undefined && {
        more: `The answer is longer than one of ours: ask for less (a limit, a filter), or the same with offset=${nextOffset} for the next part.`,
      }),
      note: UNTRUSTED_NOTE,
    };
  },
});

function unknownOperation(name: string, all: readonly OperationView[]): ToolError {
  const near = nearest(
    name,
    all.map((one) => one.name),
  );
  const hint = near.length > 0 ? ` Did you mean ${near.join(" or ")}?` : " Look with operations_find.";
  return new ToolError("operation_not_found", `There is no such operation.${hint}`);
}
