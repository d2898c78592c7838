// Group commit: units of work that arrive in one turn of the event loop share one transaction and one fsync. When
// commits follow closely, units that can wait share one with even more: a commit costs as much as many units.

import type { Database } from "better-sqlite3";
import type { Clock } from "../../core/clock.ts";

export interface Writer {
  /**
   * Runs `work` inside the next transaction, after the units queued before it. It may run twice, so it may change
   * nothing but the database. `committed` gets the result once it is on disk, before the promise resolves.
   * @param canWait for other units, up to some milliseconds, but never behind one that cannot wait
   */
  write<T>(work: () => T, committed?: (result: T) => void, canWait?: boolean): Promise<T>;
  /** Commits the queue now. */
  flush(): void;
}

interface Unit {
  run(): unknown;
  settle(result: unknown): void;
  reject(error: unknown): void;
}

/** Minimum time between commits, if all units in the queue can wait. */
const GATHER_MS = 5;

export interface WriterOptions {
  clock: Pick<Clock, "monotonic" | "after">;
  /** Throws if a commit would go to a file that has been moved or removed. */
  beforeCommit(): void;
  /** Called after each successful transaction, when its promises are resolved. */
  afterCommit(): void;
  toError(error: unknown): unknown;
}

export const createWriter = (db: Database, options: WriterOptions): Writer => {
  const { clock, beforeCommit, afterCommit, toError } = options;
  const begin = db.prepare("BEGIN IMMEDIATE");
  const commit = db.prepare("COMMIT");
  const rollback = db.prepare("ROLLBACK");
  let queue: Unit[] = [];
  let next: NodeJS.Immediate | undefined;
  let stopWaiting: (() => void) | undefined;
  let lastAt = Number.NEGATIVE_INFINITY;

  const rejectAll = (units: readonly Unit[], error: unknown) => {
    const reported = toError(error);
    for (const unit of units) unit.reject(reported);
  };

  const commitUnits = (units: readonly Unit[]): void => {
    try {
      beforeCommit();
      begin.run();
    } catch (error) {
      rejectAll(units, error);
      return;
    }
    let results: unknown[];
    try {
      results = units.map((unit) => unit.run());
      commit.run();
    } catch (error) {
      // On a full disk or an I/O error, SQLite may already have rolled back.
      if (db.inTransaction) rollback.run();
      // One bad unit must not fail the others, and a small one may fit where all together did not. This is rare, so
      // it is cheaper than a savepoint for each unit of every group.
      if (units.length > 1) for (const unit of units) commitUnits([unit]);
      else rejectAll(units, error);
      return;
    }
    units.forEach((unit, index) => {
      unit.settle(results[index]);
    });
    afterCommit();
  };

  const flush = () => {
    clearImmediate(next);
    next = undefined;
    stopWaiting?.();
    stopWaiting = undefined;
    const units = queue;
    queue = [];
    if (units.length === 0) return;
    commitUnits(units);
    lastAt = clock.monotonic();
  };

  const flushSoon = (canWait: boolean) => {
    const waitMs = lastAt + GATHER_MS - clock.monotonic();
    // After the poll phase, so that every response that arrived with this one shares its fsync.
    if (!canWait || waitMs <= 0) next ??= setImmediate(flush);
    else if (!next) stopWaiting ??= clock.after(waitMs, flush);
  };

  return {
    write: (work, committed, canWait = false) =>
      new Promise((resolve, reject) => {
        queue.push({
          run: work,
          settle: (result) => {
            // The result of this unit's own `work`; the queue cannot type it.
            const own = result as ReturnType<typeof work>;
            committed?.(own);
            resolve(own);
          },
          reject,
        });
        flushSoon(canWait);
      }),
    flush,
  };
};
