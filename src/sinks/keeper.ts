// A sink's record and its reports, committed together. What could not be committed goes into the next commit.

import type { NewEvent } from "../contract/new-event.ts";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import { type Memory, RECORD_KIND, toRecord } from "./record.ts";

export interface Keeper {
  tell(...events: NewEvent[]): void;
  hasNews(): boolean;
  /** @throws StoreError: nothing was committed */
  save(memory: Memory): Promise<void>;
}

export function createKeeper(name: string, store: Pick<Store, "commitObservation">, clock: Clock): Keeper {
  let news: NewEvent[] = [];
  return {
    tell(...events) {
      news.push(...events);
    },
    hasNews: () => news.length > 0,
    async save(memory) {
      const events = news;
      news = [];
      const value = toRecord(memory, clock.uptime(), clock.now());
      try {
        await store.commitObservation({
          ...{ source: `sink:${name}`, events },
          put: [{ kind: RECORD_KIND, key: name, value }],
        });
      } catch (error) {
        news = [...events, ...news];
        throw error;
      }
    },
  };
}
