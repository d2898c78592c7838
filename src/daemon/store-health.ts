// The store as everything uses it, watched: whether the last commit worked is part of the daemon's state.

import { type Observation, type Store, StoreError } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";

export interface StoreHealth {
  status(): { state: "ok" | "degraded"; lastError: { code: string; message: string; at: string } | null };
}

/** A shorter value from a service is not treated as a credential: it would occur in ordinary texts. */
const SHORTEST_SECRET = 16;
/** A value written like an error code would remove that code from every answer. */
const LIKE_A_CODE = /^[a-z]+(?:_[a-z]+)+$/;

export function watchStore(
  store: Store,
  clock: Clock,
  options: {
    /** Called when commits begin to fail, with the error, and when they work again. */
    onChange: (error: StoreError | undefined) => void;
    /** Called with every secret that is stored or read. */
    onSecret: (secret: string) => void;
    /**
     * Takes credentials out of what is to be in the log or the result of a write. The transport does so with most of
     * it; a stream's events, and what an entry into a session brings, come past it.
     */
    hide: <T>(value: T) => T;
    /** Kinds of records whose keys are secrets. */
    secretKinds: readonly string[];
    /** Called with the key of every such record that is stored. */
    onSecretKey: (key: string) => void;
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
        // A commit that comes too late says nothing about the database.
        if (error instanceof StoreError && error.code !== "fenced") {
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
    // The token stands in JSON that changes with each; who exchanges it tells of the token itself.
    if (!value || value.length < SHORTEST_SECRET || value.startsWith("{") || LIKE_A_CODE.test(value)) return;
    options.onSecret(value);
  };
  const hidden = (observation: Observation): Observation =>
    observation.events ? { ...observation, events: options.hide(observation.events) } : observation;
  const learn = (observation: Observation) => {
    for (const { value } of observation.secrets ?? []) noteSecret(value);
    for (const { kind, key } of observation.put ?? [])
      if (options.secretKinds.includes(kind)) options.onSecretKey(key);
  };
  return {
    store: {
      ...store,
      commitObservation: watched((observation) => {
        learn(observation);
        return store.commitObservation(hidden(observation));
      }),
      transitionWrite(transition) {
        for (const observation of transition.observations ?? []) learn(observation);
        const { patch, detail, observations } = transition;
        return store.transitionWrite({
          ...transition,
          patch: options.hide(patch),
          ...(detail !== undefined && { detail: options.hide(detail) }),
          ...(observations && { observations: observations.map(hidden) }),
        });
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
