// Finds the session that a caller means: by id, alias, or the start of an id.

import { isActive } from "./sessions.ts";

/** The shortest that an id can be shortened to. */
export const SHORTEST_ID = 6;

/** Whether the name could be this session's id, shortened. */
export const beginsWith = (sessionId: string, name: string): boolean =>
  name.length >= SHORTEST_ID && sessionId.startsWith(name);

/**
 * A whole id takes precedence over an alias, and that over the start of an id; of several sessions with the same alias,
 * the active one counts.
 * @returns none: there is no such session; more than one: the name is ambiguous
 */
export function sessionsNamed<S extends { sessionId: string; alias: string | null; state: string }>(
  sessions: readonly S[],
  name: string,
): readonly S[] {
  const byId = sessions.filter(({ sessionId }) => sessionId === name);
  const byAlias = sessions.filter(({ alias }) => alias === name);
  const begun = sessions.filter(({ sessionId }) => beginsWith(sessionId, name));
  return [byId, byAlias.filter(isActive), byAlias, begun].find(({ length }) => length > 0) ?? [];
}
