// Parses a text into the value that an operation's schema expects.

import { parseJson } from "../../core/exact-json.ts";
import { visible } from "../../core/text/visible.ts";
import { WrongUsage } from "../problem.ts";
import { type Field, fieldOf, itemsOf, type Schema } from "./json-schema.ts";

/**
 * Parses one or more texts for a field; several only for an array. If the schema has no type, text stays text.
 * @throws WrongUsage naming `key`
 */
export function read(texts: string[], field: Field, key: string, root: Schema): unknown {
  const { kinds } = field;
  const [text = ""] = texts;
  if (texts.length > 1) {
    if (kinds.has("array")) return elements(texts, field, key, root);
    throw new WrongUsage(`${key} is given twice.${kinds.has("any") ? ` For an array: ${key}:=[…]` : ""}`);
  }
  if (kinds.has("array") && (text.trimStart().startsWith("[") || !hasScalar(field)))
    return elements(texts, field, key, root);
  if (kinds.has("object") && text.trimStart().startsWith("{")) return json(text, key);
  return scalar(text, field, key);
}

function elements(texts: string[], field: Field, key: string, root: Schema): unknown[] {
  const items = itemsOf(field);
  return texts.flatMap((text) => {
    if (text.trimStart().startsWith("[")) return json(text, key) as unknown[]; // what begins so is an array
    return [read([text], fieldOf(items, root), key, root)];
  });
}

const SCALARS = ["string", "number", "integer", "boolean", "null", "any"] as const;
const hasScalar = ({ kinds }: Field) => SCALARS.some((kind) => kinds.has(kind));

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

function scalar(text: string, field: Field, key: string): unknown {
  const value = typed(text, field);
  if (value === undefined) {
    const hint = field.kinds.has("object") ? `: write ${key}.name=value, or ${key}:={…}` : "";
    throw new WrongUsage(`${key} must be ${describe(field)}, not "${text}"${hint}.`);
  }
  if (field.values && !field.values.includes(value))
    throw new WrongUsage(`${key} must be ${describe(field)}, not "${text}".`);
  return value;
}

/** undefined: the field does not take it. */
function typed(text: string, { kinds }: Field): unknown {
  if (kinds.has("number") || kinds.has("integer")) {
    const value = NUMBER.test(text) ? parseJson(text) : undefined;
    if (typeof value === "bigint") return value;
    if (
      typeof value === "number" &&
      Number.isFinite(value) &&
      (kinds.has("number") || Number.isInteger(value))
    )
      return value;
  }
  if (kinds.has("boolean") && (text === "true" || text === "false")) return text === "true";
  if (kinds.has("string") || kinds.has("any")) return text;
  return kinds.has("null") && text === "null" ? null : undefined;
}

const WORDS: Record<string, string> = {
  string: "text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  null: "null",
  array: "an array",
  object: "an object",
  any: "any JSON",
};

/** "a whole number or null", "one of pending, shipped". */
export function describe({ kinds, values }: Field): string {
  if (values?.length === 1) return `"${visible(String(values[0]))}"`;
  if (values) return `one of ${values.map((value) => visible(String(value))).join(", ")}`;
  return [...kinds].map((kind) => WORDS[kind] ?? kind).join(" or ") || "any JSON";
}

/** JSON text as a value, integers exact. @throws WrongUsage naming `what` */
export function json(text: string, what: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new WrongUsage(`${what} is not valid JSON: ${detail}`);
  }
}
