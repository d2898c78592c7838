// Which session a caller means: by its id, its alias, or the beginning of its id.

import { isActive } from "./sessions.ts";

/** To how many characters an id can be shortened. */
export const SHORTEST_ID = 6;

/** Whether the name could mean the session of this id, shortened. */
export const beginsWith = (sessionId: string, name: string): boolean =>
  name.length >= SHORTEST_ID && sessionId.startsWith(name);

/**
 * The whole id counts before an alias, and that before the beginning of an id; of several with the same alias the one
 * that goes on: the others are what it was before.
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
