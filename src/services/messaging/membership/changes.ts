// Changes of sessions by the job and the writes: one after the other for each session, first on disk, then in memory.
// Otherwise a poll in progress would undo what a write has changed meanwhile.

import type { NewEvent } from "../../../contract/new-event.ts";
import type { Observation } from "../../../contract/store.ts";
import { SESSION_KIND, type Session, sessionSource } from "./session.ts";
import type { SessionSet } from "./sessions.ts";

/** The new state of a session, with the events that report it. */
export interface SessionChange {
  session: Session;
  events: NewEvent[];
}

/** A pending change, as a pure function, so that it is applied to the session as it is at that moment. */
export interface SessionEffect {
  sessionId: string;
  /** `current` is undefined if nexusd has no such session. @returns undefined: nothing changes */
  change(current: Session | undefined, now: number): SessionChange | undefined;
  /** A key that arrived with it; null: the present key is dropped. */
  sessionKey?: string | null;
}

export interface SessionChanges {
  /** While a write takes nexusd out of a session, the job must not bring it back. @returns a function that ends this */
  hold(sessionId: string): () => void;
  isHeld(sessionId: string): boolean;
  /**
   * Computes the changes of `effects` and passes them to `commit` as observations; when this resolves, memory has what
   * was committed. Memory does not change if it throws or says that nothing was committed.
   */
  apply<T extends { isCommitted: boolean }>(
    effects: readonly SessionEffect[],
    now: () => number,
    commit: (observations: Observation[]) => Promise<T>,
  ): Promise<T>;
  /** Runs `work` while the session does not change. */
  inTurn<T>(sessionId: string, work: () => Promise<T>): Promise<T>;
}

/** @param sessions called each time, since a reload replaces them */
export function createSessionChanges(sessions: () => Pick<SessionSet, "get" | "put">): SessionChanges {
  const lastOf = new Map<string, Promise<unknown>>();

  const inTurn = <T>(sessionId: string, work: () => Promise<T>): Promise<T> => {
    const result = (lastOf.get(sessionId) ?? Promise.resolve()).then(work);
    const settled = result.then(
      () => {},
      () => {},
    );
    lastOf.set(sessionId, settled);
    void settled.then(() => {
      if (lastOf.get(sessionId) === settled) lastOf.delete(sessionId);
    });
    return result;
  };

  const held: string[] = [];

  return {
    hold(sessionId) {
      held.push(sessionId);
      return () => void held.splice(held.indexOf(sessionId), 1);
    },
    isHeld: (sessionId) => held.includes(sessionId),
    inTurn,
    apply(effects, now, commit) {
      const make = async () => {
        const changed = effects.flatMap((effect) => {
          const change = effect.change(sessions().get(effect.sessionId), now());
          return change ? [{ ...change, key: effect.sessionKey }] : [];
        });
        const result = await commit(
          changed.map(({ session, events, key }) => sessionObservation(session, events, key)),
        );
        if (result.isCommitted) for (const { session } of changed) sessions().put(session);
        return result;
      };
      // Always in the same order, so that two callers that want the same sessions do not deadlock.
      const ids = [...new Set(effects.map(({ sessionId }) => sessionId))].toSorted();
      return ids.reduceRight<() => ReturnType<typeof make>>((work, id) => () => inTurn(id, work), make)();
    },
  };
}

/** The name of the session's key among the secrets. */
export const sessionKeyName = (sessionId: string) => `messaging.key:${sessionId}`;

/** The only form in which a change of a session is committed: events, record and cursor together. */
const sessionObservation = (
  session: Session,
  events: NewEvent[],
  sessionKey: string | null | undefined,
): Observation => ({
  source: sessionSource(session.sessionId),
  events,
  put: [{ kind: SESSION_KIND, key: session.sessionId, value: session }],
  ...(sessionKey === undefined
    ? {}
    : { secrets: [{ name: sessionKeyName(session.sessionId), value: sessionKey }] }),
});
