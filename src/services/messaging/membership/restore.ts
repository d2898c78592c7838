// The sessions at a start: those that are stored, and those in the configuration.

import { isDeepStrictEqual } from "node:util";
import type { Observation, Store } from "../../../contract/store.ts";
import type { Clock } from "../../../core/clock.ts";
import type { MessagingSettings } from "../config.ts";
import type { SessionChanges } from "./changes.ts";
import { newSession, SESSION_KIND, type Session, sessionRecord } from "./session.ts";
import { isActive, type SessionSet } from "./sessions.ts";

const SOURCE = "messaging.sessions";

/**
 * Fills the set. A session that ended but is still in the configuration is tried again.
 * @param before the set that it replaces, which is never older than what was stored
 * @returns how many stored sessions could not be read, and the stored ones that the configuration has changed
 */
export function restoreSessions(
  sessions: SessionSet,
  stored: readonly { value: unknown }[],
  { messaging }: { messaging: MessagingSettings },
  before?: SessionSet,
): { unreadable: number; changed: string[] } {
  let unreadable = 0;
  const changed = new Set<string>();
  const change = (session: Session) => {
    const known = sessions.get(session.sessionId);
    sessions.put(session);
    if (known && !isDeepStrictEqual(known, sessions.get(session.sessionId))) changed.add(session.sessionId);
  };
  for (const { value } of stored) {
    const parsed = sessionRecord.safeParse(value);
    if (parsed.success) sessions.put(parsed.data);
    else unreadable += 1;
  }
  for (const { sessionId } of before?.all() ?? []) {
    const session = before?.get(sessionId);
    // A session that was never joined may have been in the configuration only.
    if (session && session.state !== "new") sessions.put(session);
  }
  for (const entry of messaging.sessions) {
    const known = sessions.get(entry.id);
    // Left on purpose: its entry in the file does not bring it back.
    if (known?.state === "left") continue;
    // Once joined, it stays on its server, with its key.
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
    change(session);
    for (const { sessionId, alias } of sessions.all()) {
      if (entry.alias === undefined || alias !== entry.alias || sessionId === entry.id) continue;
      const other = sessions.get(sessionId);
      if (other) change({ ...other, alias: null });
    }
  }
  return { unreadable, changed: [...changed] };
}

/** Stores what the configuration has changed in stored sessions, since views read from the store. */
export async function storeRenamed(
  sessionIds: readonly string[],
  { changes, store, clock }: { changes: SessionChanges; store: Store; clock: Clock },
): Promise<void> {
  const effects = sessionIds.map((sessionId) => ({
    sessionId,
    change: (current: Session | undefined) => current && { session: current, events: [] },
  }));
  await changes.apply(effects, clock.now, async (observations) => {
    const put = observations.flatMap((observation) => observation.put ?? []);
    if (put.length > 0) await store.commitObservation({ source: SOURCE, put });
    return { isCommitted: true };
  });
}

/** What has changed in the sessions since their last commit: for a quiet one, its last poll and its estimate. */
export const remembered = (sessions: SessionSet): Observation => ({
  source: SOURCE,
  put: sessions
    .all()
    .filter(isActive)
    .map(({ sessionId }) => ({ kind: SESSION_KIND, key: sessionId, value: sessions.get(sessionId) })),
});
