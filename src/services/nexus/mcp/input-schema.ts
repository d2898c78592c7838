// Checks the input of a tool against the JSON Schema that its server gives. The server checks it too; here it saves a
// request, and an approval, for an input that would be refused.

import { z } from "zod";

type Schema = Record<string, unknown>;

/**
 * zod's reading of the schema; undefined where it cannot be read. Patterns and conditions are left out: a pattern from
 * outside could keep the one thread of nexusd busy for ever.
 */
export function checkOf(schema: Schema): z.ZodType | undefined {
  try {
    // The parameter's type lists every keyword of JSON Schema; what comes from outside is checked by the call itself.
    return z.fromJSONSchema(known(schema, 0) as Parameters<typeof z.fromJSONSchema>[0]);
  } catch {
    return undefined;
  }
}

const DEEPEST = 40;

/** Keywords whose values are taken as they are. */
const PLAIN = [
  ...["type", "enum", "const", "required", "$ref", "format"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ...["minLength", "maxLength", "minItems", "maxItems", "nullable"],
];
const SCHEMA = ["items", "additionalProperties"];
const SCHEMAS = ["anyOf", "oneOf", "allOf", "prefixItems"];
const NAMED = ["properties", "$defs", "definitions"];

/** The schema with the keywords that are understood, and nothing else. */
function known(schema: unknown, depth: number): unknown {
  if (depth > DEEPEST) throw new RangeError("the schema is nested too deeply");
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) return schema;
  const next = (part: unknown) => known(part, depth + 1);
  // What meets a pattern of a name may be there too.
  const isOpen = "patternProperties" in schema;
  const members = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
    if (PLAIN.includes(key)) return [[key, value]];
    if (SCHEMA.includes(key)) return isOpen && key === "additionalProperties" ? [] : [[key, next(value)]];
    if (SCHEMAS.includes(key)) return [[key, Array.isArray(value) ? value.map(next) : value]];
    if (!NAMED.includes(key) || typeof value !== "object" || value === null) return [];
    return [[key, Object.fromEntries(Object.entries(value).map(([name, part]) => [name, next(part)]))]];
  });
  return Object.fromEntries(members);
}

/** An object that the schema accepts, unchanged: nothing is added to it, and nothing left out. */
export function inputOf(schema: Schema): z.ZodType<Record<string, unknown>> {
  const check = checkOf(schema);
  return z.custom<Record<string, unknown>>(isObject, "must be an object").superRefine((input, context) => {
    if (Object.hasOwn(input, "__proto__"))
      context.addIssue({ code: "custom", path: ["__proto__"], message: "cannot be a field" });
    for (const { path, message } of check?.safeParse(withoutBigints(input)).error?.issues ?? [])
      context.addIssue({ code: "custom", path, message });
  });
}

/** For the check alone: an integer that a number cannot hold is one all the same. */
function withoutBigints(value: unknown): unknown {
  if (typeof value === "bigint") return value < 0n ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withoutBigints(part)]));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
