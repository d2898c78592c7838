// The help of an operation, made from its schema.

import type { OperationSummary } from "../../contract/writes.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { pad, visible, width } from "../../core/text/visible.ts";
import { type Field, fieldOf, itemsOf, type Schema } from "./json-schema.ts";
import { describe } from "./typed-value.ts";

interface Row {
  key: string;
  isRequired: boolean;
  what: string;
  description: string;
}

const DEEPEST = 4;
const WIDEST_KEY = 28;

/** For a person, with invisible characters shown, one line each; a terminal wraps lines that are too long. */
export function helpOf(operation: OperationSummary): string[] {
  const { name, title, description, effect } = operation;
  const schema = schemaOf(operation);
  const fields = rows(fieldOf(schema, schema), schema, "", 0);
  const widest = Math.min(WIDEST_KEY, Math.max(0, ...fields.map(({ key }) => width(key))));
  const example = fields.filter(({ isRequired }) => isRequired).map(({ key }) => ` ${key}=…`);
  return [
    `${visible(name)}: ${visible(title)}`,
    `  ${properties(operation).join(", ")}`,
    ...(description && description !== title ? ["", visible(description)] : []),
    "",
    fields.length > 0 ? "Input:" : "It takes no input.",
    ...fields.map(({ key, isRequired, what, description }) =>
      [`  ${pad(key, widest)}  ${isRequired ? "required" : "optional"}  ${what}`, description]
        .filter(Boolean)
        .join("; "),
    ),
    "",
    `Usage: nexusctl ${effect} ${visible(name)}${example.join("")}`,
  ];
}

/** The schema of its input, as described by the daemon or by a service's own tool. */
export const schemaOf = ({ inputSchema }: OperationSummary): Schema =>
  typeof inputSchema === "object" && inputSchema !== null ? inputSchema : {};

function properties({ effect, approval, idempotent, destructive }: OperationSummary): string[] {
  if (effect === "read") return ["a read"];
  const decided = {
    operator: "an operator has to approve it",
    auto: "the policy approves it automatically",
    deny: "the policy denies it",
    signed: "its approval requires signatures",
  };
  return [
    "a write",
    ...(destructive ? ["deletes permanently"] : []),
    ...(approval ? [decided[approval]] : []),
    idempotent ? "safe to repeat" : "sent at most once",
  ];
}

/** Its members, nested ones with a dot. */
function rows(field: Field, root: Schema, prefix: string, depth: number): Row[] {
  return field.names.flatMap((name) => {
    const schema = field.member(name) ?? {};
    const inner = fieldOf(schema, root);
    const key = prefix + visible(name);
    const row = {
      key,
      isRequired: field.required.has(name),
      what: whatOf(inner, schema, root),
      description: visible(schema.description ?? ""),
    };
    // A member of an optional object is not required on its own.
    const inside = depth < DEEPEST ? rows(inner, root, `${key}.`, depth + 1) : [];
    return [row, ...inside.map((one) => ({ ...one, isRequired: one.isRequired && row.isRequired }))];
  });
}

function whatOf(field: Field, schema: Schema, root: Schema): string {
  const isList = field.kinds.has("array") && field.items.length > 0;
  const what = isList ? `array of ${describe(fieldOf(itemsOf(field), root))}` : describe(field);
  if (schema.default === undefined) return what;
  return `${what}; default ${visible(stringifyJson(schema.default))}`;
}
