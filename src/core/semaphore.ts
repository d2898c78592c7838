// Limited concurrency for people's and agents' requests: people first, with one slot reserved for them.

interface Place {
  /** Call once, however the work ended. */
  leave(): void;
}

/** Who the slot is for, in the order in which they get one. */
export type PlaceFor = "people" | "agent_reads" | "agent_writes";

export interface Places {
  /** Those that wait. */
  readonly waiting: number;
  /**
   * Resolves when there is a slot; rejects with `signal.reason` as soon as the signal aborts. Agents leave one to
   * people, and if both kinds of agents' requests wait, the kind with fewer slots goes first.
   */
  take(who: PlaceFor, signal?: AbortSignal): Promise<Place>;
}

export function createPlaces(limit: number): Places {
  const queues: Record<PlaceFor, Set<() => void>> = {
    ...{ people: new Set(), agent_reads: new Set(), agent_writes: new Set() },
  };
  const taken: Record<PlaceFor, number> = { people: 0, agent_reads: 0, agent_writes: 0 };
  const waiting = () => queues.people.size + queues.agent_reads.size + queues.agent_writes.size;
  const hasPlace = (who: PlaceFor) => {
    const agents = taken.agent_reads + taken.agent_writes;
    return agents + taken.people < limit && (who === "people" || agents < limit - 1);
  };
  const agentsInOrder = (): PlaceFor[] =>
    taken.agent_reads <= taken.agent_writes
      ? ["agent_reads", "agent_writes"]
      : ["agent_writes", "agent_reads"];
  const advance = () => {
    for (const who of ["people" as const, ...agentsInOrder()]) {
      const [enter] = queues[who];
      if (enter && hasPlace(who)) return enter();
    }
  };
  return {
    get waiting() {
      return waiting();
    },
    take: (who, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const queue = queues[who];
        const onAbort = () => {
          queue.delete(enter);
          reject(signal?.reason);
        };
        const enter = () => {
          queue.delete(enter);
          signal?.removeEventListener("abort", onAbort);
          taken[who] += 1;
          resolve({
            leave() {
              taken[who] -= 1;
              advance();
            },
          });
        };
        if (queue.size === 0 && hasPlace(who)) return enter();
        queue.add(enter);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
  };
}
