// Finds the operation for a question: its words and their synonyms, weighted by rarity, in name, title, description and
// fields of each operation (BM25 over fields), plus the verb of the question in its name.

import type { OperationView } from "../contract/api/operations.ts";
import { isObject } from "../core/is-object.ts";
import { likesOf, stem, verbsOf, wordsOf } from "./words.ts";

type Searched = Pick<OperationView, "name" | "title" | "description" | "effect" | "inputSchema">;

/** The weight of a word by field. */
const FIELDS = { name: 3, title: 2.5, description: 1, input: 0.4 } as const;
type Field = keyof typeof FIELDS;
/** Of BM25: how soon repetitions of a word stop counting, and how much the length of a text matters. */
const SATURATION = 1.2;
const LENGTH = 0.4;
/** The weight of a synonym. */
const LIKE = 0.55;
const VERB_BONUS = 1.5;

interface Document<T> {
  operation: T;
  /** The stems of each field, with how often they occur. */
  counts: Record<Field, Map<string, number>>;
  lengths: Record<Field, number>;
  verb: string;
}

/** The operations that match the question at all, best match first. */
export function find<T extends Searched>(query: string, operations: readonly T[]): T[] {
  const documents = operations.map(documentOf);
  const asked = wordsOf(query);
  const verbs = verbsOf(query);
  const averages = averageLengths(documents);
  const rarity = rarityIn(documents);

  const scored = documents.map((document) => {
    let score = 0;
    for (const word of asked) score += weightOf(word, document, averages, rarity);
    if (isCalled(query, document.operation)) score += CALLED;
    if (score > 0) score += VERB_BONUS * (verbs.get(document.verb) ?? 0);
    return { operation: document.operation, score };
  });
  return scored
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ operation }) => operation);
}

/** More than any words can score. */
const CALLED = 1000;

const isCalled = (query: string, { name, title }: Searched): boolean =>
  [name, title].some((called) => called.toLowerCase() === query.trim().toLowerCase());

/** The best score among a word and its synonyms. */
function weightOf<T>(
  word: string,
  { counts, lengths }: Document<T>,
  averages: Record<Field, number>,
  rarity: (stem: string) => number,
): number {
  let best = 0;
  for (const [like, worth] of [[word, 1] as const, ...likesOf(word).map((like) => [like, LIKE] as const)]) {
    let frequency = 0;
    for (const field of FIELD_NAMES) {
      const count = counts[field].get(like);
      if (count === undefined) continue;
      const length = 1 - LENGTH + (LENGTH * lengths[field]) / (averages[field] || 1);
      frequency += (FIELDS[field] * count) / length;
    }
    if (frequency === 0) continue;
    best = Math.max(best, (worth * rarity(like) * frequency) / (SATURATION + frequency));
  }
  return best;
}

const FIELD_NAMES = Object.keys(FIELDS) as Field[]; // keys() loses the key type

function documentOf<T extends Searched>(operation: T): Document<T> {
  const { name, title, description, inputSchema } = operation;
  const words: Record<Field, string[]> = {
    name: wordsOf(name),
    title: wordsOf(title),
    description: wordsOf(description),
    input: wordsOf(inputWords(inputSchema)),
  };
  const [first = ""] = (name.split(".").at(-1) ?? "").split("_");
  return {
    operation,
    counts: mapFields((field) => countOf(words[field])),
    lengths: mapFields((field) => words[field].length),
    verb: stem(first),
  };
}

/** Names and descriptions of the fields of an input. */
function inputWords(schema: unknown): string {
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
  return Object.entries(properties)
    .map(([name, field]) => `${name} ${isObject(field) ? field.description : ""}`)
    .join(" ");
}

const mapFields = <V>(make: (field: Field) => V): Record<Field, V> => ({
  ...{ name: make("name"), title: make("title") },
  ...{ description: make("description"), input: make("input") },
});

function countOf(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

const averageLengths = (documents: readonly Document<unknown>[]): Record<Field, number> =>
  mapFields(
    (field) =>
      documents.reduce((sum, { lengths }) => sum + lengths[field], 0) / Math.max(1, documents.length),
  );

/** Returns the inverse document frequency of a stem. */
function rarityIn(documents: readonly Document<unknown>[]): (stem: string) => number {
  const known = new Map<string, number>();
  return (stem) => {
    const found = known.get(stem);
    if (found !== undefined) return found;
    const having = documents.filter(({ counts }) => FIELD_NAMES.some((field) => counts[field].has(stem)));
    const rarity = Math.log(1 + (documents.length - having.length + 0.5) / (having.length + 0.5));
    known.set(stem, rarity);
    return rarity;
  };
}
