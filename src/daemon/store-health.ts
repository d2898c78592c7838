// The store as everybody uses it, watched: whether the last commit worked is part of the daemon's state.

import { type Clock, isoTime } from "../scheduler/clock.ts";
import { SESSION_KIND } from "../services/messaging/session.ts";
import { type Observation, type Store, StoreError } from "../store/store.ts";

export interface StoreHealth {
  status(): { state: "ok" | "degraded"; lastError: { code: string; message: string; at: string } | null };
}

/** What a service gives as a credential and is shorter, is none, and stands in texts that say something else. */
const SHORTEST_SECRET = 16;

export function watchStore(
  store: Store,
  clock: Clock,
  options: {
    /** Called when commits begin to fail, with the error, and when they work again. */
    onChange: (error: StoreError | undefined) => void;
    /** Called with every secret that goes in or comes out. */
    onSecret: (secret: string) => void;
    /** Called with the id of every session that is stored: whoever knows one takes part in it. */
    onSessionId: (sessionId: string) => void;
  },
): { store: Store; health: StoreHealth } {
  let failing = false;
  let lastError: { code: string; message: string; at: string } | null = null;
  const watched =
    <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      try {
        const result = await work(...args);
        if (failing) {
          failing = false;
          options.onChange(undefined);
        }
        return result;
      } catch (error) {
        if (error instanceof StoreError) {
          lastError = { code: error.code, message: error.message, at: isoTime(clock.now()) };
          if (!failing) {
            failing = true;
            options.onChange(error);
          }
        }
        throw error;
      }
    };
  const noteSecret = (value: string | null | undefined) => {
    if (value && value.length >= SHORTEST_SECRET) options.onSecret(value);
  };
  const learn = (observation: Observation) => {
    for (const { value } of observation.secrets ?? []) noteSecret(value);
    for (const { kind, key } of observation.put ?? []) if (kind === SESSION_KIND) options.onSessionId(key);
  };
  return {
    store: {
      ...store,
      commitObservation: watched((observation) => {
        learn(observation);
        return store.commitObservation(observation);
      }),
      transitionWrite(transition) {
        for (const observation of transition.observations ?? []) learn(observation);
        return store.transitionWrite(transition);
      },
      async readSecret(name) {
        const value = await store.readSecret(name);
        noteSecret(value);
        return value;
      },
      probe: watched(() => store.probe()),
    },
    health: { status: () => ({ state: failing ? "degraded" : "ok", lastError }) },
  };
}
