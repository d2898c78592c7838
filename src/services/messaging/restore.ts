// The sessions as a start finds them: those that were stored, and those that the configuration names.

import type { Config } from "../../config/schema.ts";
import type { Observation } from "../../store/store.ts";
import { newSession, SESSION_KIND, type Session, sessionRecord } from "./session.ts";
import { isActive, type SessionSet } from "./sessions.ts";

/**
 * Fills the set. What ended but is still in the configuration is tried again.
 * @param before the set that it replaces, which is never older than what was stored
 * @returns how many stored sessions could not be read
 */
export function restoreSessions(
  sessions: SessionSet,
  stored: readonly { value: unknown }[],
  { messaging }: Config,
  before?: SessionSet,
): { unreadable: number } {
  let unreadable = 0;
  for (const { value } of stored) {
    const parsed = sessionRecord.safeParse(value);
    if (parsed.success) sessions.put(parsed.data);
    else unreadable += 1;
  }
  for (const { sessionId } of before?.all() ?? []) {
    const session = before?.get(sessionId);
    // One that was never entered may have stood in the configuration alone.
    if (session && session.state !== "new") sessions.put(session);
  }
  for (const entry of messaging.sessions) {
    const known = sessions.get(entry.id);
    // Left by our own will: that it still stands in the file is no wish to come back.
    if (known?.state === "left") continue;
    // Once entered, it stays on its server, and so does its key.
    const isBound = known && known.joinedAt !== null;
    const settings = {
      sessionId: entry.id,
      alias: entry.alias ?? known?.alias ?? null,
      baseUrl: isBound ? known.baseUrl : (entry.base_url ?? messaging.base_url),
      agentId: messaging.agent_id,
    };
    const hasEnded = known?.state === "expired" || known?.state === "lost";
    const session: Session =
      known && !hasEnded
        ? { ...known, alias: settings.alias, baseUrl: settings.baseUrl }
        : { ...(known ?? newSession(settings)), ...settings, state: "new", reason: null };
    sessions.put(session);
    for (const { sessionId, alias } of sessions.all()) {
      if (entry.alias === undefined || alias !== entry.alias || sessionId === entry.id) continue;
      const other = sessions.get(sessionId);
      if (other) sessions.put({ ...other, alias: null });
    }
  }
  return { unreadable };
}

/** What the sessions have become since they were last committed: of a quiet one, when it was polled and its estimate. */
export const remembered = (sessions: SessionSet): Observation => ({
  source: "messaging.sessions",
  put: sessions
    .all()
    .filter(isActive)
    .map(({ sessionId }) => ({ kind: SESSION_KIND, key: sessionId, value: sessions.get(sessionId) })),
});
