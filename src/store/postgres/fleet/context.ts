// Under which leases a commit is made. `hold` runs its work in this context, and the store reads it when a unit of work
// is handed to it, so that no caller passes it along.
//
// What is guaranteed: a commit that the work makes, or anything that it awaits, calls or starts (promises, timers,
// microtasks), carries all leases that it is made under, because Node.js passes the context on to them. It is read in
// the caller's own turn, before the unit is queued; how commits are grouped, and by which timer, comes after that.
// What the writer itself calls (listeners, callbacks of commits) runs outside of any lease. Not covered: work that is
// put into a queue which somebody else empties, since that runs in the context of whoever empties it.

import { AsyncLocalStorage } from "node:async_hooks";

/** What the writer checks of a lease. */
export interface Held {
  readonly resource: string;
  readonly token: number;
  /** Whether it is known here that it is lost or released. */
  isOver(): boolean;
  /** The database says that it is lost. */
  onRefused(): void;
}

const context = new AsyncLocalStorage<readonly Held[]>();

const NONE: readonly Held[] = [];

/** The leases of the caller: the outermost first. */
export const currentLeases = (): readonly Held[] => context.getStore() ?? NONE;

export const underLease = <T>(lease: Held, work: () => T): T =>
  context.run([...currentLeases(), lease], work);

export const outsideLeases = <T>(work: () => T): T => context.run(NONE, work);
