// JSON Schemas that every client takes: no schema that is only true, false or empty, and nothing that says little.

import { z } from "zod";
import { isObject } from "../core/is-object.ts";

export type JsonSchema = Record<string, unknown> & { type: "object" };

/** @param schema an object */
export function portableSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "output" });
  // Of an object zod makes an object's schema.
  return portable(json) as JsonSchema;
}

function portable(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(portable);
  if (!isObject(schema)) return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => !isWeak(key, value))
      .map(([key, value]) => [key, portable(value)]),
  );
}

/** What a strict or loose object of zod says of members that nobody named, and the bounds of every integer. */
const isWeak = (key: string, value: unknown): boolean =>
  key === "propertyNames" ||
  (key === "additionalProperties" && (!isObject(value) || Object.keys(value).length === 0)) ||
  (key === "maximum" && value === Number.MAX_SAFE_INTEGER) ||
  (key === "minimum" && value === Number.MIN_SAFE_INTEGER);
