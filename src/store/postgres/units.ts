// How the parts of the store read and write: what each is given instead of connections.

import type { DedupeKey } from "../prepared.ts";
import type { Connection } from "./connection.ts";
import type { Transaction } from "./transaction.ts";

/** @throws StoreError */
export type ReadUnit = <T>(query: (connection: Connection) => Promise<T>) => Promise<T>;

/**
 * Does the work in a transaction, maybe twice; it is on the disk when this resolves.
 * @param committed called once it is on the disk, before anybody is told
 * @throws StoreError
 */
export type WriteUnit = <T>(
  work: (transaction: Transaction) => T | Promise<T>,
  committed?: (result: T) => void,
  how?: { keys?: readonly DedupeKey[]; canWait?: boolean },
) => Promise<T>;
