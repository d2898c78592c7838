// How the parts of the store read and write: what each is given instead of the database's transactions.

/** @throws StoreError */
export type ReadUnit = <T>(query: () => T) => Promise<T>;

/**
 * Does the work in a transaction, maybe twice; it is on the disk when this resolves.
 * @param committed called once it is on the disk, before anybody is told
 * @param canWait whether it may wait for others to be committed with
 * @throws StoreError
 */
export type WriteUnit = <T>(work: () => T, committed?: (result: T) => void, canWait?: boolean) => Promise<T>;
