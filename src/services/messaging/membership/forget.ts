// Forgets ended sessions once the log has no events of them.

import type { JobContext } from "../../job.ts";
import { sessionKeyName } from "./changes.ts";
import { SESSION_KIND, type Session, sessionSource } from "./session.ts";
import { isActive } from "./sessions.ts";

/** The last time at which something about it was, or will be, true, in ms since the epoch. */
const lastSignOf = ({ lastPolledAt, joinedAt, expiresAt }: Session, updatedAt: string): number =>
  Math.max(
    ...[lastPolledAt, joinedAt, expiresAt, updatedAt].map((time) => (time === null ? 0 : Date.parse(time))),
  );

/**
 * Forgets every session that ended before the oldest event that is kept, with its key. A configured one stays: it must
 * be remembered that it was left.
 */
export async function forgetEnded(
  context: Pick<JobContext, "store" | "services" | "config" | "steady" | "log">,
): Promise<void> {
  const { store, services, config, steady, log } = context;
  const before = steady.before(config.jobs.retention.keep_events);
  const configured = new Set(config.messaging.sessions.map(({ id }) => id));
  let forgotten = 0;
  for (const { key, updatedAt } of await store.readRecords(SESSION_KIND)) {
    await services.messaging.changes.inTurn(key, async () => {
      const session = services.messaging.sessions.get(key);
      const isOver = session && !isActive(session) && lastSignOf(session, updatedAt) < before;
      if (!isOver || configured.has(key)) return;
      await store.commitObservation({
        source: sessionSource(key),
        remove: [{ kind: SESSION_KIND, key }],
        secrets: [{ name: sessionKeyName(key), value: null }],
      });
      services.messaging.sessions.remove(key);
      forgotten += 1;
    });
  }
  if (forgotten > 0) log.info({ forgotten }, "removed sessions that ended long ago");
}
