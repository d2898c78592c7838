// Patterns of event types: "messaging.*", "nexusd.messaging.*", "nex.insight.received", "*".

import { TYPE_PREFIX } from "./new-event.ts";

/** A type or pattern with the prefix `nexusd.`, added if missing. */
export const fullType = (type: string): string =>
  type.startsWith(TYPE_PREFIX) ? type : `${TYPE_PREFIX}${type}`;

/** The types of `known` that match one of the patterns, each once. A pattern's `.*` stands for one or more parts. */
export const expandTypes = (patterns: readonly string[], known: Iterable<string>): string[] => {
  const exact = new Set<string>();
  const starts: string[] = [];
  for (const pattern of patterns) {
    const full = fullType(pattern);
    if (full.endsWith(".*")) starts.push(full.slice(0, -1));
    else exact.add(full);
  }
  return [...known].filter((type) => exact.has(type) || starts.some((start) => type.startsWith(start)));
};
