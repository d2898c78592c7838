// What other nodes of a fleet commit, for a node that keeps records in memory.

import type { StoredRecord } from "./store.ts";

/** Records of one kind that another node has changed. */
export interface RecordChange {
  kind: string;
  /** As they are now. */
  put: StoredRecord[];
  /** The keys of those that are gone. */
  removed: string[];
}

export interface SharedRecords {
  /**
   * Calls back with the records of these kinds that another node has changed, one call after the other, a second or so
   * after their commits. @returns unsubscribe
   */
  watch(kinds: readonly string[], listener: (change: RecordChange) => void | Promise<void>): () => void;
  /** Resolves once the listeners have taken in what was committed before. @throws StoreError */
  look(): Promise<void>;
}
