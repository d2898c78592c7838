// Bounded concurrency: so many exchanges at once, the others wait in order of arrival.

interface Place {
  /** To be called once, however the work ended. */
  leave(): void;
}

export interface Places {
  /** Those that wait. */
  readonly waiting: number;
  /** Resolves when there is a place; rejects with `signal.reason` as soon as the signal aborts. */
  take(signal?: AbortSignal): Promise<Place>;
}

export function createPlaces(limit: number): Places {
  const waiting = new Set<() => void>();
  let taken = 0;
  const leave = () => {
    taken -= 1;
    const [next] = waiting;
    next?.();
  };
  return {
    get waiting() {
      return waiting.size;
    },
    take: (signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const onAbort = () => {
          waiting.delete(enter);
          reject(signal?.reason);
        };
        const enter = () => {
          waiting.delete(enter);
          signal?.removeEventListener("abort", onAbort);
          taken += 1;
          resolve({ leave });
        };
        if (taken < limit) return enter();
        waiting.add(enter);
        signal?.addEventListener("abort", onAbort, { once: true });
      }),
  };
}
