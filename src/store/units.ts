// How the parts of the store read and write: they get this instead of the database's transactions.

/** @throws StoreError */
export type ReadUnit = <T>(query: () => T) => Promise<T>;

/**
 * Does the work in a transaction, possibly twice; when this resolves, it is on disk.
 * @param committed called once it is on disk, before the promise resolves
 * @param canWait whether it may wait to share a commit with other units
 * @throws StoreError
 */
export type WriteUnit = <T>(work: () => T, committed?: (result: T) => void, canWait?: boolean) => Promise<T>;
