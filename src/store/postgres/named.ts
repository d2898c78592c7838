// Statements with named values, as SQLite has them: `:name` for $1, $2, …

import type { Value } from "./connection.ts";

export interface NamedStatement<Given> {
  text: string;
  /** In the order in which the text numbers them. */
  values(given: Given): Value[];
}

/** A name stands for the same value wherever it is. Two colons are PostgreSQL's own. */
export function named<Given extends object>(sql: string): NamedStatement<Given> {
  const names: string[] = [];
  const text = sql.replace(/(?<!:):([a-z_]+)/gi, (_, name: string) => {
    if (!names.includes(name)) names.push(name);
    return `$${names.indexOf(name) + 1}`;
  });
  return {
    text,
    values: (given) => {
      const all: ReadonlyMap<string, Value | undefined> = new Map(Object.entries(given));
      return names.map((name) => all.get(name) ?? null);
    },
  };
}
