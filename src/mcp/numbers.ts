// Numbers that a model sent as text, inside the input of an operation: its JSON Schema says where a number is meant.

import { NexusdError } from "../client/error.ts";
import { isObject } from "../core/is-object.ts";
import type { ToolContext } from "./tool.ts";

type Schema = Record<string, unknown>;

const WHOLE = /^-?\d{1,16}$/;
const DECIMAL = /^-?\d{1,15}(?:\.\d{1,15})?$/;

/**
 * Calls with the input as it is, and if it is refused, once more with its numbers as numbers. Text where the operation
 * takes text stays text.
 * @throws NexusdError of the first call, if no number was sent as text
 */
export async function withNumbers<T>(
  { client, signal }: Pick<ToolContext, "client" | "signal">,
  operation: string,
  input: unknown,
  call: (input: unknown) => Promise<T>,
): Promise<T> {
  try {
    return await call(input);
  } catch (error) {
    if (!(error instanceof NexusdError) || error.code !== "invalid_input") throw error;
    const found = (await client.operations({ signal })).find(({ name }) => name === operation);
    const meant = found && numbersIn(found.inputSchema, input);
    if (meant === undefined || meant === input) throw error;
    return await call(meant);
  }
}

/** @returns the very same value if nothing in it changes */
export function numbersIn(schema: unknown, value: unknown): unknown {
  if (!isObject(schema)) return value;
  if (typeof value === "string") return numberOf(schema, value);
  if (Array.isArray(value)) return mapped(value, (item) => numbersIn(schema.items, item));
  const { properties } = schema;
  if (!isObject(value) || !isObject(properties)) return value;
  const entries = Object.entries(value);
  const meant = mapped(entries, (entry): [string, unknown] => {
    const [name, member] = entry;
    const now = Object.hasOwn(properties, name) ? numbersIn(properties[name], member) : member;
    return now === member ? entry : [name, now];
  });
  return meant === entries ? value : Object.fromEntries(meant);
}

function mapped<T>(list: readonly T[], change: (item: T) => T): readonly T[] {
  const changed = list.map(change);
  return changed.some((item, index) => item !== list[index]) ? changed : list;
}

function numberOf(schema: Schema, text: string): unknown {
  const takes = typesOf(schema);
  if (takes.has("string")) return text;
  const isNumber = takes.has("number") ? DECIMAL.test(text) : takes.has("integer") && WHOLE.test(text);
  const number = Number(text);
  // Beyond this a number is another one than its digits.
  return isNumber && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : text;
}

/** The types that a schema names, in its alternatives too; a schema that names none counts as taking text. */
function typesOf({ type, anyOf, oneOf }: Schema): Set<unknown> {
  if (typeof type === "string") return new Set([type]);
  if (Array.isArray(type)) return new Set(type);
  const alternatives = [anyOf, oneOf].flatMap((one) => (Array.isArray(one) ? one : []));
  if (alternatives.length === 0) return new Set(["string"]);
  return new Set(alternatives.flatMap((one) => (isObject(one) ? [...typesOf(one)] : ["string"])));
}
