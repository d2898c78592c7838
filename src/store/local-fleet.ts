// The fleet of one: a node with a database of its own holds whatever it asks for.

import type { Fleet, FleetNode, Lease } from "../contract/fleet.ts";
import { StoreError } from "../contract/store.ts";
import { type Clock, isoTime } from "../core/clock.ts";

export interface NodeIdentity {
  name: string;
  /** Of nexusd. */
  version: string;
}

/** @param place the database, as errors name it */
export function createLocalFleet(
  { name, version }: NodeIdentity,
  place: string,
  clock: Pick<Clock, "now">,
): Fleet {
  const startedAt = isoTime(clock.now());
  const held = new Map<string, { since: number; works: number }>();

  const work = async <T>(resource: string, run: (lease: Lease) => Promise<T>): Promise<T> => {
    const ended = new AbortController();
    const entry = held.get(resource) ?? { since: clock.now(), works: 0 };
    held.set(resource, entry);
    entry.works += 1;
    try {
      return await run({ resource, signal: ended.signal, heldUntil: () => Number.POSITIVE_INFINITY });
    } finally {
      entry.works -= 1;
      if (entry.works === 0) held.delete(resource);
      ended.abort(new Error(`the lease of ${resource} is released`));
    }
  };

  return {
    node: name,
    hold: async (resource, signal, run) => {
      signal.throwIfAborted();
      return work(resource, run);
    },
    tryHold: async (resource, run) => ({ result: await work(resource, run) }),
    nodes: async (): Promise<FleetNode[]> => [
      { name, version, state: "up", startedAt, seenAt: isoTime(clock.now()) },
    ],
    leases: async () =>
      [...held]
        .map(([resource, { since }]) => ({ resource, node: name, token: 1, since: isoTime(since) }))
        .sort((one, other) => (one.resource < other.resource ? -1 : 1)),
    drain: async (isDraining) => {
      if (isDraining)
        throw new StoreError(
          "unusable",
          `${place}: no other node can take over from this one, which has the database for itself; stop it instead`,
        );
    },
  };
}
