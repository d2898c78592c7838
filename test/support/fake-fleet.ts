// Nodes that share a store in memory: leases that a test takes away, and records that one node tells the others.

import type { Fleet, HeldLease } from "../../src/contract/fleet.ts";
import type { RecordChange, SharedRecords } from "../../src/contract/shared-records.ts";
import type { Observation, Store } from "../../src/contract/store.ts";

interface Waiting {
  node: string;
  begin(): void;
}

interface Held {
  node: string;
  end: AbortController;
}

export interface FakeFleet {
  /** The store as this node has it. */
  storeOf<S extends Store>(node: string, store: S): S;
  /** The node that holds it. */
  holderOf(resource: string): string | undefined;
  /** Takes a lease from its holder; the next node that waits gets it, or the holder again. */
  lose(resource: string): void;
}

export function createFakeFleet(): FakeFleet {
  const held = new Map<string, Held>();
  const queues = new Map<string, Waiting[]>();
  const watchers: { node: string; kinds: readonly string[]; tell: (change: RecordChange) => unknown }[] = [];
  let tellings: unknown[] = [];

  const next = (resource: string) => {
    if (!held.has(resource)) queues.get(resource)?.shift()?.begin();
  };

  const fleetOf = (node: string): Fleet => {
    const hold: Fleet["hold"] = async (resource, signal, work) => {
      signal.throwIfAborted();
      const queue = queues.get(resource) ?? [];
      queues.set(resource, queue);
      if (held.has(resource))
        await new Promise<void>((begin, refuse) => {
          const waiting = { node, begin };
          queue.push(waiting);
          signal.addEventListener("abort", () => {
            const at = queue.indexOf(waiting);
            if (at >= 0) queue.splice(at, 1);
            refuse(signal.reason);
          });
        });
      const mine: Held = { node, end: new AbortController() };
      held.set(resource, mine);
      try {
        return await work({
          resource,
          signal: mine.end.signal,
          heldUntil: () => (mine.end.signal.aborted ? 0 : Number.MAX_SAFE_INTEGER),
        });
      } finally {
        if (held.get(resource) === mine) held.delete(resource);
        next(resource);
      }
    };
    return {
      node,
      hold,
      tryHold: async (resource, work) =>
        held.has(resource) ? undefined : { result: await hold(resource, new AbortController().signal, work) },
      nodes: async () => [],
      leases: async () =>
        [...held].map(
          ([resource, { node: holder }]): HeldLease => ({ resource, node: holder, token: 1, since: "" }),
        ),
      drain: async () => {},
    };
  };

  return {
    storeOf(node, store) {
      const shared: SharedRecords = {
        watch(kinds, tell) {
          const watcher = { node, kinds, tell };
          watchers.push(watcher);
          return () => void watchers.splice(watchers.indexOf(watcher), 1);
        },
        async look() {
          await Promise.all(tellings);
          tellings = [];
        },
      };
      const commitObservation = async (observation: Observation) => {
        const committed = await store.commitObservation(observation);
        for (const watcher of watchers) {
          if (watcher.node === node) continue;
          for (const kind of watcher.kinds) {
            const put = (observation.put ?? []).filter((record) => record.kind === kind);
            const removed = (observation.remove ?? []).filter((record) => record.kind === kind);
            if (put.length + removed.length === 0) continue;
            const records = put.map(({ key, value }) => ({
              key,
              value,
              json: JSON.stringify(value),
              updatedAt: "",
            }));
            tellings.push(watcher.tell({ kind, put: records, removed: removed.map(({ key }) => key) }));
          }
        }
        return committed;
      };
      return { ...store, fleet: fleetOf(node), shared, commitObservation };
    },
    holderOf: (resource) => held.get(resource)?.node,
    lose(resource) {
      held.get(resource)?.end.abort(new Error("the lease is lost"));
    },
  };
}
