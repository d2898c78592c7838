// What a write is about, in the few words that fit into a list: "order NX-1006: pending to shipped",
// "delete record Acme".

import { stringifyJson } from "../core/exact-json.ts";

/** From the write, parsed. `before` is what its precondition read; null: it has none. */
export interface Aim {
  /** `service.noun.verb` */
  operation: string;
  input: unknown;
  before: unknown;
}

const MOST_CHARACTERS = 160;
const MOST_OF_A_VALUE = 60;
const MOST_CHANGES = 4;

// What people call a thing by, best first. An id is used only if there is none of these.
const NAMES = [/[a-z]Number$/, /^sku$/, /^alias$/, /^(contact)?Name$/i, /^title$/, /^slug$/, /^code$/];
const IDS = [/^id$/, /^session$/, /[a-z]Id$/];

/** Text of unknown origin: a screen must make it visible. A summary of the request, never all of it. */
export function aboutOf(aim: Aim): string {
  const { known, name, fields } = partsOf(aim);
  const few = fields.slice(0, MOST_CHANGES);
  const isMove = few.some(([key]) => isSaid(known[key]));
  const verb = isMove ? "" : verbOf(aim.operation);
  const subject = [verb, nounOf(aim.operation), name?.value].filter(Boolean).join(" ");
  const changes = few.map(([key, value]) => changeOf(key, known[key], value));
  return clipped([subject, changes.join(", ")].filter(Boolean).join(": "), MOST_CHARACTERS);
}

/** The parts of a write's request. */
export function partsOf({ operation, input, before }: Aim) {
  const asked = record(input);
  // A tool's fields may have any name, including those of Object's properties.
  const known: Record<string, unknown> = Object.assign(Object.create(null), record(before));
  const name = nameIn(known) ?? nameIn(asked) ?? idIn(asked);
  const fields = Object.entries(asked)
    .filter(([key, value]) => key !== name?.key && !isId(key) && value !== undefined && value !== null)
    // Changes from one value to another come first: the input's keys are in alphabetical order.
    .sort(([a], [b]) => Number(isSaid(known[b])) - Number(isSaid(known[a])));
  /** In full, while a long name is cut. */
  const id = firstWhole(asked, IDS);
  return { known, name, fields, id, noun: nounOf(operation), verb: verbOf(operation) };
}

const verbOf = (operation: string) => operation.split(".").slice(-1).join("").replaceAll("_", " ");

/** "order_items" of "nexus.order_items.create" is "order item". */
function nounOf(operation: string): string {
  const noun = operation.split(".").slice(1, -1).join(" ").replaceAll("_", " ");
  return noun
    .replace(/ies$/, "y")
    .replace(/(ss|us|x|ch)es$/, "$1")
    .replace(/([^s])s$/, "$1");
}

interface Named {
  key: string;
  value: string;
}

function nameIn(fields: Record<string, unknown>): Named | undefined {
  const { firstName, lastName } = fields;
  const person = [firstName, lastName].filter((part) => typeof part === "string").join(" ");
  return person ? { key: "", value: clipped(person, MOST_OF_A_VALUE) } : firstOf(fields, NAMES);
}

const idIn = (fields: Record<string, unknown>): Named | undefined => {
  const found = firstOf(fields, IDS);
  // Its beginning is enough to tell it from another; the screen of the write shows all of it.
  return found && { ...found, value: found.value.length > 20 ? `${found.value.slice(0, 8)}…` : found.value };
};

function firstOf(fields: Record<string, unknown>, patterns: readonly RegExp[]): Named | undefined {
  for (const pattern of patterns)
    for (const [key, value] of Object.entries(fields))
      if (pattern.test(key) && isShort(value)) return { key, value: clipped(String(value), MOST_OF_A_VALUE) };
  return undefined;
}

function firstWhole(fields: Record<string, unknown>, patterns: readonly RegExp[]): string | undefined {
  for (const pattern of patterns)
    for (const [key, value] of Object.entries(fields))
      if (pattern.test(key) && isShort(value)) return String(value);
  return undefined;
}

const isShort = (value: unknown): value is string | number | bigint =>
  (typeof value === "string" && value !== "") || typeof value === "number" || typeof value === "bigint";

const isId = (key: string) => IDS.some((pattern) => pattern.test(key));

/** A field that the precondition read as well shows its old value, and needs no label: "pending to shipped". */
function changeOf(key: string, before: unknown, after: unknown): string {
  if (isSaid(before)) return `${shown(before)} to ${shown(after)}`;
  return `${key} ${shown(after)}`;
}

const isSaid = (value: unknown) => value !== undefined && value !== null;

const PLAIN_WORD = /^[\w.+@-]+$/;

/** In quotes unless it is a single word, so that its end is unambiguous. */
function shown(value: unknown): string {
  if (typeof value === "string" && PLAIN_WORD.test(value)) return clipped(value, MOST_OF_A_VALUE);
  if (typeof value === "string") return JSON.stringify(clipped(value, MOST_OF_A_VALUE));
  return clipped(stringifyJson(value), MOST_OF_A_VALUE);
}

function clipped(text: string, most: number): string {
  if (text.length <= most) return text;
  const characters = [...text.slice(0, most * 2)];
  return characters.length <= most ? characters.join("") : `${characters.slice(0, most - 1).join("")}…`;
}

const record = (value: unknown): Record<string, unknown> =>
  // Checked right here; only names are looked up in it.
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
