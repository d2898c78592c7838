// Checks the input of a tool against the JSON Schema from its server. The server checks it, too; doing it here saves a
// request, and an approval, for an input that would be refused. So an input is refused only if that is certain; what
// cannot be decided here is left to the server. That needs a third verdict beside valid and invalid, which validators
// do not have: one that ignores a pattern finds that two alternatives match where one does.

import { z } from "zod";
import { isObject } from "../../../core/is-object.ts";
import type { Issue } from "./schema-values.ts";
import { createVerdicts } from "./schema-verdict.ts";

type Schema = Record<string, unknown>;

/** Why the schema certainly refuses the input; empty if it does not, or if that is not certain. */
function refusals(schema: Schema, input: unknown): Issue[] {
  try {
    const verdict = createVerdicts(schema).of(schema, input, []);
    return typeof verdict === "string" ? [] : verdict;
  } catch {
    // Whatever an untrusted schema can do: too many steps, too deep, keywords of the wrong type.
    return [];
  }
}

const DEEPEST = 40;

/** Whether the whole schema can be evaluated: its draft is known, and it refers to no external schema. */
export function isReadable(schema: Schema): boolean {
  const { canRead, resolve } = createVerdicts(schema);
  const isFollowed = (part: unknown, depth: number): boolean => {
    if (typeof part !== "object" || part === null) return true;
    if (depth > DEEPEST) return false;
    const isKnown = !("$ref" in part) || resolve(part.$ref) !== undefined;
    return isKnown && Object.values(part).every((inner) => isFollowed(inner, depth + 1));
  };
  return canRead && isFollowed(schema, 0);
}

/** An object that the schema accepts, unchanged: nothing is added or removed. */
export function inputOf(schema: Schema): z.ZodType<Record<string, unknown>> {
  return z.custom<Record<string, unknown>>(isObject, "must be an object").superRefine((input, context) => {
    if (Object.hasOwn(input, "__proto__"))
      context.addIssue({ code: "custom", path: ["__proto__"], message: "is not allowed as a field name" });
    for (const { path, message } of refusals(schema, input))
      context.addIssue({ code: "custom", path, message });
  });
}
