// A messaging session as the API shows it, and how a caller names one.

import { type SessionView, sessionView } from "../contract/api/views.ts";
import type { Store } from "../contract/store.ts";
import { SHORTEST_ID, sessionsNamed } from "../services/messaging/membership/names.ts";
import { SESSION_KIND } from "../services/messaging/membership/session.ts";
import { Problem } from "./problem.ts";

/**
 * The one session that is named so: see `sessionsNamed`.
 * @throws Problem `session_not_found`, `ambiguous_session`
 */
export async function findSession(store: Store, idOrAlias: string): Promise<SessionView> {
  const exact = await store.readRecord(SESSION_KIND, idOrAlias);
  if (exact) return sessionView.parse(exact.value);

  const records = await store.readRecords(SESSION_KIND);
  const sessions = records.map(({ value }) => sessionView.parse(value));
  const matches = sessionsNamed(sessions, idOrAlias);
  const [found, ...others] = matches;
  if (!found)
    throw new Problem(
      "session_not_found",
      `No session has this id or alias, or an id that begins so (${SHORTEST_ID} characters or more). GET /v1/messaging/sessions (nexusctl messaging ls) lists them.`,
    );
  if (others.length > 0)
    throw new Problem("ambiguous_session", `${matches.length} sessions match. Use the whole session id.`);
  return found;
}
