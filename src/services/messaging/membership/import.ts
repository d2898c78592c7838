// Imports sessions that another client of this machine joined, with their keys and cursors.

import type { ImportedSession, ImportResult } from "../../../contract/api/import.ts";
import type { NewEvent } from "../../../contract/new-event.ts";
import type { Store } from "../../../contract/store.ts";
import { type Clock, isoTime } from "../../../core/clock.ts";
import { OperationError } from "../../operation.ts";
import type { MessagingSettings } from "../config.ts";
import type { SessionChanges, SessionEffect } from "./changes.ts";
import { afterJoin } from "./membership.ts";
import { beginsWith } from "./names.ts";
import { newSession, type Session, sessionSource } from "./session.ts";
import { isActive, type SessionSet } from "./sessions.ts";

/** Why the session cannot have the alias; undefined: it can. */
function whyNot(
  alias: string,
  sessionId: string,
  sessions: readonly Pick<Session, "sessionId" | "alias" | "state">[],
): string | undefined {
  const others = sessions.filter((one) => one.sessionId !== sessionId);
  if (others.some((one) => one.alias === alias && isActive(one)))
    return `the alias "${alias}" already names another session`;
  return others.some((one) => beginsWith(one.sessionId, alias))
    ? "its alias is left out: another session's id begins with it"
    : undefined;
}

const alreadyKnown = (session: Session): ImportResult => {
  const { sessionId, alias, state } = session;
  const next = isActive(session) ? "" : `; ${goOn(alias ?? sessionId.slice(0, 8), state)}`;
  const note = `nexusd already knows it (${state}) and did not change it${next}`;
  return { sessionId, outcome: "known", alias, note };
};

/** How to recover an unusable session: repeating the import never changes it. */
const goOn = (name: string, state: Session["state"]): string =>
  state === "left"
    ? `join it again with nexusctl messaging join ${name}`
    : `it has ended and cannot be imported again: create or join another session (nexusctl messaging create, or claim with a new code), then run nexusctl messaging forget ${name}`;

export function createImport(options: {
  store: Pick<Store, "commitObservation">;
  changes: Pick<SessionChanges, "apply">;
  clock: Clock;
  /** Called each time, since a reload changes both. */
  settings: () => MessagingSettings;
  sessions: () => SessionSet;
}): (imported: ImportedSession[]) => Promise<ImportResult[]> {
  const { store, changes, clock, settings } = options;

  const take = async (imported: ImportedSession): Promise<ImportResult> => {
    const sessions = options.sessions();
    const { sessionId } = imported;
    const known = sessions.get(sessionId);
    if (known) return alreadyKnown(known);
    const wanted = imported.alias ?? null;
    const why = wanted === null ? undefined : whyNot(wanted, sessionId, sessions.all());
    const alias = why === undefined ? wanted : null;
    const now = clock.now();
    const found = newSession({
      ...{ sessionId, alias, agentId: imported.agentId },
      baseUrl: imported.server ?? settings().base_url,
    });
    const session: Session = {
      ...afterJoin(found, now, { sessionKey: imported.sessionKey }).session,
      cursor: imported.cursor ?? null,
      // That client sent its messages under the same name.
      isSendInDoubt: true,
      // Its remaining life is unknown, so it is renewed at once.
      expiresAt: settings().auto_renew ? isoTime(now) : null,
    };
    const events: NewEvent[] = [
      {
        type: "messaging.session.joined",
        source: sessionSource(sessionId),
        data: {
          ...{ sessionId, alias, agentId: session.agentId },
          ...{ expiresAt: null, rejoined: false, imported: true },
        },
      },
    ];
    // A session that was joined meanwhile is known: its key must not be replaced.
    const effect: SessionEffect = {
      sessionId,
      change: (current) => (current ? undefined : { session, events }),
      ...(imported.sessionKey !== undefined && { sessionKey: imported.sessionKey }),
    };
    const { isCommitted } = await changes.apply([effect], clock.now, async ([observation]) => {
      if (observation) await store.commitObservation(observation);
      return { isCommitted: observation !== undefined };
    });
    return isCommitted
      ? { sessionId, outcome: "imported", alias, note: why ?? null }
      : alreadyKnown(options.sessions().get(sessionId) ?? session);
  };

  // One after the other: a session that is imported twice at once must not start twice.
  let last: Promise<unknown> = Promise.resolve();
  return (imported) => {
    const work = last.then(async () => {
      if (!settings().enabled)
        throw new OperationError("service_disabled", "messaging is disabled: set messaging.enabled = true");
      const results: ImportResult[] = [];
      for (const session of imported) results.push(await take(session));
      return results;
    });
    last = work.catch(() => {});
    return work;
  };
}
