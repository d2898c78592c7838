// The listeners that are told of each commit.

export interface Listeners<Words extends unknown[]> {
  /** @returns unsubscribe */
  add(listener: (...words: Words) => void): () => void;
  notify(...words: Words): void;
  clear(): void;
}

export function createListeners<Words extends unknown[]>(): Listeners<Words> {
  const listeners = new Set<(...words: Words) => void>();
  return {
    add: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    notify: (...words) => {
      for (const listener of listeners)
        try {
          listener(...words);
        } catch (error) {
          // A commit stands even if a listener throws, and the other listeners must still be called.
          process.emitWarning(error instanceof Error ? error : String(error));
        }
    },
    clear: () => listeners.clear(),
  };
}
