// The searchable events, and their search terms. They are of one type: a second one needs a column for the type in the
// index of the store. Without zod, which the search thread does not load.

import { indexedWords } from "../core/text/words.ts";
import type { EventName } from "./new-event.ts";

/** The type, without its prefix. */
export const SEARCHABLE = "nex.insight.received" satisfies EventName;

export interface SearchTerms {
  type: string | null;
  /** 0 to 1, if the service reports it. */
  confidence: number | null;
  content: string;
  target: string;
}

/** Longer texts are indexed by their beginnings. */
const LONGEST_INDEXED = 64 * 1024;

/**
 * The search terms of an event: its type, its confidence, and the words of its content and of its target. Reads both
 * public shapes of an insight, and of anything else whatever is present.
 * @param data of the event
 */
export function searchTermsOf(data: unknown): SearchTerms {
  const { type, confidence, content, target, entities, evidence } = fieldsOf(fieldsOf(data).insight);
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

// A word must not span two texts.
const words = (texts: unknown[]): string =>
  indexedWords(
    texts
      .filter((text) => typeof text === "string")
      .join("\n|\n")
      .slice(0, LONGEST_INDEXED),
  );

const fieldsOf = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? { ...value } : {};

const listOf = (value: unknown): Record<string, unknown>[] =>
  Array.isArray(value) ? value.map(fieldsOf) : [];
