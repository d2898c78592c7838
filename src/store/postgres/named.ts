// Statements with named parameters, as SQLite has them: `:name` for $1, $2, …

import type { Value } from "./connection.ts";

export interface NamedStatement<Given> {
  text: string;
  /** In the order of their numbers in the text. */
  values(given: Given): Value[];
}

/** A repeated name is the same parameter. Two colons are PostgreSQL's cast. */
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
