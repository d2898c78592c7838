// What an insight is found by: its type, its confidence, and the words of its content and of whom it is about.

export interface InsightIndex {
  type: string | null;
  /** 0 to 1 where the service says it. */
  confidence: number | null;
  content: string;
  target: string;
}

/** Longer texts are found by their beginnings. */
const LONGEST_INDEXED = 64 * 1024;

/** Reads both public shapes of an insight, and of anything else what there is of them. */
export function indexOfInsight(insight: unknown): InsightIndex {
  const { type, confidence, content, target, entities, evidence } = fieldsOf(insight);
  const { hint, entity_type: entityType, signals } = fieldsOf(target);
  const about = listOf(entities).flatMap(({ name, type }) => [name, type]);
  const known = listOf(signals).map(({ value }) => value);
  const proofs = listOf(evidence).flatMap(({ excerpt, artifact }) => [excerpt, fieldsOf(artifact).subject]);
  return {
    type: typeof type === "string" ? type : null,
    confidence: typeof confidence === "number" && Number.isFinite(confidence) ? confidence : null,
    content: words([content, ...proofs]),
    target: words([hint, entityType, ...known, ...about]),
  };
}

/**
 * A query of FTS5 for insights in which each word of `text` and of `target` begins a word; undefined where neither is
 * given. Whatever they hold is words, never syntax.
 */
export function matchOf(query: { text?: string; target?: string }): string | undefined {
  const parts = (["text", "target"] as const).flatMap((field) => {
    const given = query[field];
    if (given === undefined) return [];
    const column = field === "target" ? "target : " : "";
    const wanted = given.split(/\s+/u).map((part) => words([part.replace(NOT_OF_WORDS, " ")]).trim());
    // A sign between two words matches nothing: left out, "R&D - plans" is found.
    const phrases = wanted.filter((phrase) => phrase !== "");
    return (phrases.length > 0 ? phrases : [NO_WORD]).map((phrase) => `${column}"${phrase}" *`);
  });
  return parts.length > 0 ? parts.join(" AND ") : undefined;
}

// As the tokenizer of the index sees it. What it parts, but no blank, must stand side by side: a phrase.
const NOT_OF_WORDS = /[^\p{L}\p{N}\p{Co}\p{M}]+/gu;
/** Which no tokenizer leaves anything of. */
const NO_WORD = " ";

// Scripts without blanks between words: each sign is taken as a word, and a text of several as a phrase.
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/gu;

const words = (texts: unknown[]): string =>
  texts
    .filter((text) => typeof text === "string")
    .join("\n")
    .slice(0, LONGEST_INDEXED)
    .toWellFormed()
    .replace(UNSPACED, " $& ");

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? { ...value } : {};

const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.map(fieldsOf) : [];
