// A messaging session as the API shows it, and how a caller names one.

import type { z } from "zod";
import { SESSION_KIND, sessionRecord } from "../services/messaging/session.ts";
import type { Store } from "../store/store.ts";
import { Problem } from "./problem.ts";

const SHORTEST_PREFIX = 6;

/** Only what is named is served: keys are among the secrets, and anything new stays inside. */
export const sessionView = sessionRecord.omit({
  leftAs: true,
  sentCursor: true,
  isSendInDoubt: true,
  serverBootAt: true,
  tail: true,
  anchor: true,
  inDoubtSince: true,
  pacing: true,
});
export type SessionView = z.output<typeof sessionView>;

/**
 * The session with this id, else with this alias, else whose id begins so (6 characters or more). Of several with
 * the same alias the one that is joined is meant: the others are what it was before.
 * @throws Problem `session_not_found`, `ambiguous_session`
 */
export async function findSession(store: Store, idOrAlias: string): Promise<SessionView> {
  const exact = await store.readRecord(SESSION_KIND, idOrAlias);
  if (exact) return sessionView.parse(exact.value);

  const records = await store.readRecords(SESSION_KIND);
  const sessions = records.map(({ value }) => sessionView.parse(value));
  const aliased = sessions.filter(({ alias }) => alias === idOrAlias);
  const joined = aliased.filter(({ state }) => state === "joined");
  const begun = sessions.filter(
    ({ sessionId }) => idOrAlias.length >= SHORTEST_PREFIX && sessionId.startsWith(idOrAlias),
  );
  const matches = [joined, aliased, begun].find(({ length }) => length > 0) ?? [];
  const [found, ...others] = matches;
  if (!found)
    throw new Problem(
      "session_not_found",
      "No session has this id or alias, or an id that begins so (6 characters or more). GET /v1/messaging/sessions lists them.",
    );
  if (others.length > 0)
    throw new Problem("ambiguous_session", `${matches.length} sessions match. Use the whole session id.`);
  return found;
}
