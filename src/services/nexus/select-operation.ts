// nexus.rest.select: any table, for data without a named operation. The query is data, never a query string.

import { z } from "zod";
import { line } from "../input.ts";
import { defineOperation } from "./facts.ts";
import { createKeyset } from "./keyset.ts";
import { quoted } from "./query.ts";
import { MOST_ROWS, pageOf, type Query, readPage } from "./rows.ts";

const identifier = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_]{0,62}$/,
    "must be the name of a table or column: lower-case letters, digits and _",
  );

/** The operators that compare with one value. */
const COMPARING = ["eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "isdistinct"] as const;
const text = z
  .string()
  .max(2000)
  .refine((value) => value.isWellFormed(), "must be well-formed Unicode");
/** An integer that a number cannot hold is compared by its digits. */
const scalar = z.preprocess(
  (value) => (typeof value === "bigint" ? String(value) : value),
  z.union([text, z.number(), z.boolean()]),
);
const column = identifier.describe("The column");
const not = z
  .boolean()
  .default(false)
  .describe("Negates the filter. Rows without a value match neither way.");

const filter = z.preprocess(
  named,
  z.discriminatedUnion("operator", [
    z.strictObject({
      column,
      operator: z.enum(COMPARING).describe("How to compare; in like and ilike, * stands for any text"),
      value: scalar.describe("With what"),
      not,
    }),
    z.strictObject({
      column,
      operator: z.literal("in").describe("One of several values"),
      value: z.array(scalar).max(MOST_ROWS).describe("The values"),
      not,
    }),
    z.strictObject({
      column,
      operator: z.literal("is").describe("Without a value, true or false"),
      value: z.union([z.null(), z.boolean()]).describe("null, true or false"),
      not,
    }),
    z.strictObject({
      column,
      operator: z.enum(["cs", "cd", "ov"]).describe("The list contains, is contained in, overlaps"),
      value: z.array(text).max(MOST_ROWS).describe("The list"),
      not,
    }),
  ]),
);
type Filter = z.output<typeof filter>;

/** `op` is a common name for it. */
function named(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("op" in value) || "operator" in value) return value;
  const { op, ...rest } = value;
  return { ...rest, operator: op };
}

const FILTERS = `The filters that all rows must match, each {"column", "operator", "value", "not"}; an operator is ${COMPARING.join(", ")}, in (a list of values), is (null, true, false), or cs, cd, ov (a list that contains, is contained in, overlaps)`;

/** A PostgREST condition. `in` and lists have their own syntax; a single value needs none. */
function conditionOf({ operator, value, not }: Filter): string {
  const values = Array.isArray(value) ? value.map((part) => quoted(String(part))).join(",") : String(value);
  const operand = operator === "in" ? `(${values})` : Array.isArray(value) ? `{${values}}` : values;
  return `${not ? "not." : ""}${operator}.${operand}`;
}

const queryOf = (filters: readonly Filter[]): Query => {
  // A column can have the name of a property of every object.
  const query = new Map<string, string[]>();
  for (const one of filters) query.set(one.column, [...(query.get(one.column) ?? []), conditionOf(one)]);
  return Object.fromEntries(query);
};

const order = z
  .array(
    z.strictObject({
      column,
      descending: z.boolean().default(false).describe("Largest first"),
    }),
  )
  .max(3);

interface Ordering {
  order: z.output<typeof order>;
  key: string;
}

/** With the key at the end, so that no two rows are equal. */
const keysetOf = ({ order, key }: Ordering) => {
  const sorts = order.filter((sort) => sort.column !== key);
  const own = order.find((sort) => sort.column === key);
  return createKeyset([...sorts, { column: key, descending: own?.descending ?? false }]);
};

/** Names that PostgREST does not take as a column. */
const RESERVED = new Set([
  "select",
  "order",
  "limit",
  "offset",
  "and",
  "or",
  "not",
  "on_conflict",
  "columns",
]);

export const selectRows = defineOperation({
  name: "nexus.rest.select",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Read rows of any table",
  description:
    "Rows of a table or view of Nexus that match all filters, page by page: `next` is null at the end. For data that the other operations do not cover.",
  input: z.lazy(() =>
    z
      .strictObject({
        table: identifier.describe("The table or view"),
        columns: z
          .array(identifier)
          .min(1)
          .max(100)
          .optional()
          .describe("Only these columns, and those that the rows are ordered by; default: all"),
        filters: z.array(filter).max(20).default([]).describe(FILTERS),
        order: order
          .default([])
          .describe("The columns to order by, most significant first; default: the key"),
        key: identifier.default("id").describe("A column with a different value in every row"),
        limit: z.int().min(1).max(MOST_ROWS).default(25).describe("At most this many rows"),
        after: line.max(4000).optional().describe("`next` from the previous answer, with the same order"),
        count: z.boolean().default(false).describe("Also count the rows, from this page to the end"),
      })
      .superRefine(({ filters, after, ...ordering }, context) => {
        for (const [index, { column }] of filters.entries())
          if (RESERVED.has(column))
            context.addIssue({
              code: "custom",
              path: ["filters", index, "column"],
              message: "is not allowed in a query",
            });
        if (after === undefined || keysetOf(ordering).cursor().safeParse(after).success) return;
        context.addIssue({
          code: "custom",
          path: ["after"],
          message: "must be `next` from an answer with the same order",
        });
      }),
  ),
  request: ({ table, columns, filters, order, key, ...page }, facts) => {
    const needed = columns && new Set([...columns, ...order.map(({ column }) => column), key]);
    return readPage(
      facts,
      table,
      { ...queryOf(filters), select: needed && [...needed].join(",") },
      keysetOf({ order, key }),
      page,
    );
  },
  output: (answer, input) => {
    const { rows, rest } = pageOf(answer, input.table, keysetOf(input), input);
    return { rows, ...rest };
  },
});
