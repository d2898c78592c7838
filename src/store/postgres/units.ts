// Units of work: how the parts of the store read and write without handling connections.

import type { DedupeKey } from "../prepared.ts";
import type { Connection } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

/** @throws StoreError */
export type ReadUnit = <T>(query: (connection: Connection) => Promise<T>) => Promise<T>;

/**
 * Runs the work in a transaction, possibly twice; it is on disk when this resolves.
 * @param committed called once it is on disk, before listeners are notified
 * @throws StoreError
 */
export type WriteUnit = <T>(
  work: (transaction: Transaction) => T | Promise<T>,
  committed?: (result: T) => void,
  how?: { keys?: readonly DedupeKey[]; canWait?: boolean },
) => Promise<T>;
