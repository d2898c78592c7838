// Changes of sessions: what the job and the writes make of them, one after the other for each session, on disk first
// and in memory after that. Without this, a poll under way would undo what a write has changed meanwhile.

import type { NewEvent } from "../../../contract/new-event.ts";
import type { Observation } from "../../../contract/store.ts";
import { SESSION_KIND, type Session, sessionSource } from "./session.ts";
import type { SessionSet } from "./sessions.ts";

/** What a session becomes, with the events that say so. */
export interface SessionChange {
  session: Session;
  events: NewEvent[];
}

/** A change that is still to be made, pure, so that it is made of the session as it is at that moment. */
export interface SessionEffect {
  sessionId: string;
  /** `current` is undefined where nexusd knows no such session. @returns undefined: nothing changes */
  change(current: Session | undefined, now: number): SessionChange | undefined;
  /** A key that came with it; null: the one there is, is forgotten. */
  sessionKey?: string | null;
}

export interface SessionChanges {
  /** While a write takes us out of a session, the job must not bring us back. @returns the end of it */
  hold(sessionId: string): () => void;
  isHeld(sessionId: string): boolean;
  /**
   * Makes the changes of `effects` and gives them to `commit` as observations; what it committed is in memory when
   * this resolves. Nothing is, where it throws or says that nothing was committed.
   */
  apply<T extends { isCommitted: boolean }>(
    effects: readonly SessionEffect[],
    now: () => number,
    commit: (observations: Observation[]) => Promise<T>,
  ): Promise<T>;
  /** Runs `work` while no change of the session is under way. */
  inTurn<T>(sessionId: string, work: () => Promise<T>): Promise<T>;
}

/** @param sessions asked each time, since a reload replaces them */
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
      // Always in the same order, so that two that want the same sessions do not wait for each other.
      const ids = [...new Set(effects.map(({ sessionId }) => sessionId))].toSorted();
      return ids.reduceRight<() => ReturnType<typeof make>>((work, id) => () => inTurn(id, work), make)();
    },
  };
}

/** The name of the session's key among the secrets. */
export const sessionKeyName = (sessionId: string) => `messaging.key:${sessionId}`;

/** The one form in which a change of a session is committed: its events and its record, with its cursor, together. */
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
