// Schemas that every client accepts: they contain nothing that the clients' strict checks reject.

import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { portableSchema } from "../../src/mcp/portable.ts";
import { TOOLS } from "../../src/mcp/tools.ts";

/** Keywords that hold one schema, or several by name or in a list. */
const ONE = ["items", "additionalProperties", "propertyNames", "not"];
const NAMED = ["properties", "$defs", "patternProperties"];
const SEVERAL = ["anyOf", "oneOf", "allOf", "prefixItems"];

function faults(schema: unknown, path: string): string[] {
  if (typeof schema === "boolean") return [`${path} is only ${schema}`];
  if (typeof schema !== "object" || schema === null) return [`${path} is no schema`];
  if (Object.keys(schema).length === 0) return [`${path} is empty`];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key === "type" && Array.isArray(value)) return [`${path} has several types`];
    if (ONE.includes(key)) return faults(value, `${path}.${key}`);
    if (NAMED.includes(key))
      return Object.entries(value).flatMap(([name, one]) => faults(one, `${path}.${key}.${name}`));
    if (SEVERAL.includes(key)) return [`${path} has alternatives`];
    return [];
  });
}

test.each(TOOLS.map((tool) => [tool.name, tool] as const))("%s", (_name, { input, output }) => {
  const ajv = new Ajv2020({ strict: true });
  for (const schema of [portableSchema(input), portableSchema(output)]) {
    expect(schema.type).toBe("object");
    expect(faults(schema, "it")).toEqual([]);
    expect(() => ajv.compile(schema)).not.toThrow();
  }
  const described = Object.values(portableSchema(input).properties ?? {});
  for (const field of described) expect(field).toMatchObject({ description: expect.any(String) });
});

test("all tools together are no longer than a model's prompt can hold", () => {
  const listed = TOOLS.map(({ name, description, input }) => ({
    name,
    description,
    input: portableSchema(input),
  }));
  expect(JSON.stringify(listed).length).toBeLessThan(14_000);
});
