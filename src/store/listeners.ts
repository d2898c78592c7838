// Who hears of a commit.

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
          // The commit stands, whatever a listener makes of it; the others must still hear of it.
          process.emitWarning(error instanceof Error ? error : String(error));
        }
    },
    clear: () => listeners.clear(),
  };
}
