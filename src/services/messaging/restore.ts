// The sessions as a start finds them: those that were stored, and those that the configuration names.

import type { Config } from "../../config/schema.ts";
import { newSession, type Session, sessionRecord } from "./session.ts";
import type { SessionSet } from "./sessions.ts";

/**
 * Fills the set. What ended but is still in the configuration is tried again.
 * @returns how many stored sessions could not be read
 */
export function restoreSessions(
  sessions: SessionSet,
  stored: readonly { value: unknown }[],
  { messaging }: Config,
): { unreadable: number } {
  let unreadable = 0;
  for (const { value } of stored) {
    const parsed = sessionRecord.safeParse(value);
    if (parsed.success) sessions.put(parsed.data);
    else unreadable += 1;
  }
  for (const entry of messaging.sessions) {
    const known = sessions.get(entry.id);
    const settings = {
      sessionId: entry.id,
      alias: entry.alias ?? known?.alias ?? null,
      baseUrl: entry.base_url ?? messaging.base_url,
      agentId: messaging.agent_id,
    };
    const hasEnded = known?.state === "expired" || known?.state === "lost";
    const session: Session =
      known && !hasEnded
        ? { ...known, alias: settings.alias, baseUrl: settings.baseUrl }
        : { ...(known ?? newSession(settings)), ...settings, state: "new", reason: null };
    sessions.put(session);
  }
  return { unreadable };
}
