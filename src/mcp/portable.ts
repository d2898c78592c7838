// JSON Schemas that every client accepts: no boolean or empty schemas, and no keywords without effect.

import { z } from "zod";
import { isObject } from "../core/is-object.ts";

export type JsonSchema = Record<string, unknown> & { type: "object" };

/** @param schema an object */
export function portableSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: "output" });
  // For an object, zod returns an object schema.
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

/** What a strict or loose zod object says about undeclared members, and the bounds of every integer. */
const isWeak = (key: string, value: unknown): boolean =>
  key === "propertyNames" ||
  (key === "additionalProperties" && (!isObject(value) || Object.keys(value).length === 0)) ||
  (key === "maximum" && value === Number.MAX_SAFE_INTEGER) ||
  (key === "minimum" && value === Number.MIN_SAFE_INTEGER);
