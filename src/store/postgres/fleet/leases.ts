// The leases of this node: taken for whoever waits for them, shared by all work under them, given back after it.

import type { Fleet, Lease } from "../../../contract/fleet.ts";
import { postgresError } from "../errors.ts";
import type { Transaction } from "../transaction.ts";
import type { WriteUnit } from "../units.ts";
import { type Held, outsideLeases, underLease } from "./context.ts";
import type { Tenure } from "./tenure.ts";

/** A lease that this node has, for all work under it. */
class OwnLease implements Held {
  readonly resource: string;
  readonly token: number;
  readonly ended = new AbortController();
  readonly onRefused: () => void;
  works = 0;

  constructor(resource: string, token: number, onLost: (own: OwnLease) => void) {
    this.resource = resource;
    this.token = token;
    this.onRefused = () => onLost(this);
  }

  isOver(): boolean {
    return this.isLost || this.works === 0;
  }
  /** Lost, and not only to be given away. */
  isLost = false;
}

interface Waiter {
  /** It asks once. */
  isOnce: boolean;
  settle(lease: OwnLease | undefined): void;
  fail(error: unknown): void;
}

export interface LeasesOptions {
  place: string;
  incarnation: number;
  tenure: Tenure;
  /** Those of them that nobody holds, read without a lock. @throws StoreError */
  findFree(resources: readonly string[]): Promise<string[]>;
  write: WriteUnit;
  /** Called after leases were given back. */
  onGiven(): void;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #held = new Map<string, OwnLease>();
  readonly #wanted = new Map<string, Set<Waiter>>();
  #isDraining = false;
  #isClosed = false;
  #isTaking: Promise<void> | undefined;
  #isAskedAgain = false;
  /** Rows can be there that no lease here stands for. */
  #mayHaveMore = false;

  constructor(options: LeasesOptions) {
    this.#options = options;
  }

  readonly hold: Fleet["hold"] = async (resource, signal, work) => {
    signal.throwIfAborted();
    const lease = await this.#wait(resource, signal);
    // Only one that asks once gets none.
    if (!lease) throw new Error(`the wait for ${resource} ended without a lease`);
    return this.#under(lease, work);
  };

  readonly tryHold: Fleet["tryHold"] = async (resource, work) => {
    if (this.#isDraining) return undefined;
    const lease = await this.#wait(resource, undefined);
    return lease && { result: await this.#under(lease, work) };
  };

  /** Tries to take what is waited for. */
  tryTake(): void {
    this.#isAskedAgain = true;
    this.#isTaking ??= outsideLeases(() => this.#takeAll()).finally(() => {
      this.#isTaking = undefined;
      if (this.#isAskedAgain) this.tryTake();
    });
  }

  /** From now on leases are given away, or taken again. */
  drain(isDraining: boolean): void {
    this.#isDraining = isDraining;
    if (!isDraining) {
      this.tryTake();
      return;
    }
    for (const lease of this.#held.values())
      lease.ended.abort(new Error(`this node gives ${lease.resource} to another one`));
    for (const waiters of this.#wanted.values())
      for (const waiter of [...waiters]) if (waiter.isOnce) waiter.settle(undefined);
  }

  /** All are lost. */
  loseAll(why: string): void {
    this.#mayHaveMore = true;
    for (const own of [...this.#held.values()]) this.#lose(own, why);
  }

  /** Makes the table and this list the same again after one of them was not heard of. */
  async settle(): Promise<void> {
    if (!this.#mayHaveMore || this.#isTaking) return;
    this.#mayHaveMore = false;
    try {
      const lost = await outsideLeases(() =>
        this.#options.write((transaction) => this.#compare(transaction)),
      );
      for (const own of lost) this.#lose(own, "another node took it");
    } catch (error) {
      this.#mayHaveMore = true;
      throw error;
    }
    // What could not be taken meanwhile, and what was this node's own before the database went away.
    if (this.#wanted.size > 0) this.tryTake();
  }

  close(): void {
    this.#isClosed = true;
    this.loseAll("the store is closed");
    const error = postgresError("unusable", this.#options.place, "the store is closed", {
      remedy: "nexusd is stopping: start it again",
    });
    for (const waiters of this.#wanted.values()) for (const waiter of [...waiters]) waiter.fail(error);
  }

  async #under<T>(own: OwnLease, work: (lease: Lease) => Promise<T>): Promise<T> {
    const { tenure } = this.#options;
    const lease: Lease = {
      resource: own.resource,
      signal: own.ended.signal,
      heldUntil: () => (own.isOver() ? Number.NEGATIVE_INFINITY : tenure.heldUntil()),
    };
    try {
      return await underLease(own, () => work(lease));
    } finally {
      this.#leave(own);
    }
  }

  #leave(own: OwnLease): void {
    own.works -= 1;
    if (own.works > 0) return;
    own.ended.abort(new Error(`the lease of ${own.resource} is released`));
    if (this.#held.get(own.resource) !== own) return;
    this.#held.delete(own.resource);
    this.#give(own.resource, own.token);
  }

  #wait(resource: string, signal: AbortSignal | undefined): Promise<OwnLease | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed)
        return reject(postgresError("unusable", this.#options.place, "the store is closed"));
      const own = this.#held.get(resource);
      if (own && !own.isLost && !own.ended.signal.aborted) {
        own.works += 1;
        return resolve(own);
      }
      const waiters = this.#wanted.get(resource) ?? new Set();
      this.#wanted.set(resource, waiters);
      const leave = () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#wanted.get(resource) === waiters) this.#wanted.delete(resource);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        isOnce: signal === undefined,
        settle: (lease) => {
          leave();
          if (lease) lease.works += 1;
          resolve(lease);
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = () => waiter.fail(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      waiters.add(waiter);
      return this.tryTake();
    });
  }

  async #takeAll(): Promise<void> {
    // All that are asked for in this turn are taken in one commit.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#isAskedAgain = false;
    const { tenure, findFree, write, incarnation } = this.#options;
    if (this.#isClosed || this.#isDraining) return;
    // What is about to be given back by this node itself is asked for again after that.
    const asked = new Map([...this.#wanted].map(([resource, waiters]) => [resource, [...waiters]]));
    if (asked.size === 0) return;
    try {
      if (tenure.isOver()) throw this.#unreachable();
      const free = await findFree([...asked.keys()]);
      if (free.length > 0) {
        const taken = await write((transaction) => take(transaction, free, incarnation));
        // Its end was noticed meanwhile: the rows are removed when it is heard of again.
        if (tenure.isOver()) throw this.#unreachable();
        for (const { resource, token } of taken) this.#hand(resource, token);
      }
      for (const waiters of asked.values())
        for (const waiter of waiters) if (waiter.isOnce) waiter.settle(undefined);
    } catch (error) {
      this.#mayHaveMore = true;
      for (const waiters of asked.values())
        for (const waiter of waiters) if (waiter.isOnce) waiter.fail(error);
    }
  }

  #unreachable() {
    return postgresError("io", this.#options.place, "the leases of this node are not renewed");
  }

  #hand(resource: string, token: number): void {
    const waiters = this.#wanted.get(resource);
    if (!waiters || this.#isDraining || this.#isClosed) {
      this.#give(resource, token);
      return;
    }
    const own = new OwnLease(resource, token, (lost) => this.#lose(lost, "another node took it"));
    this.#held.set(resource, own);
    for (const waiter of [...waiters]) waiter.settle(own);
  }

  #give(resource: string, token: number): void {
    const { write, incarnation, onGiven } = this.#options;
    if (this.#isClosed) return;
    outsideLeases(() =>
      write((transaction) =>
        transaction.run(
          `WITH gone AS (DELETE FROM leases WHERE resource = $1 AND token = $2 AND holder = $3 RETURNING 1)
           UPDATE nodes SET given = given + 1 WHERE incarnation = $3 AND EXISTS (SELECT FROM gone)`,
          [resource, token, incarnation],
        ),
      ),
    ).then(
      () => {
        onGiven();
        // Somebody here may wait for it.
        if (this.#wanted.has(resource)) this.tryTake();
      },
      () => {
        this.#mayHaveMore = true;
      },
    );
  }

  /** The head is locked, so nothing is being taken. @returns those that are not there any more */
  async #compare(transaction: Transaction): Promise<OwnLease[]> {
    const { incarnation } = this.#options;
    const held = [...this.#held.values()];
    const rows = await transaction.query<{ token: number }>("SELECT token FROM leases WHERE holder = $1", [
      incarnation,
    ]);
    const there = new Set(rows.map(({ token }) => token));
    await transaction.run(
      `WITH gone AS (DELETE FROM leases WHERE holder = $1 AND NOT token = ANY($2::bigint[]) RETURNING 1)
       UPDATE nodes SET given = given + 1 WHERE incarnation = $1 AND EXISTS (SELECT FROM gone)`,
      [incarnation, held.map(({ token }) => token)],
    );
    return held.filter(({ token }) => !there.has(token));
  }

  #lose(own: OwnLease, why: string): void {
    own.isLost = true;
    own.ended.abort(new Error(`the lease of ${own.resource} is lost: ${why}`));
    if (this.#held.get(own.resource) === own) this.#held.delete(own.resource);
  }
}

async function take(
  transaction: Transaction,
  free: readonly string[],
  incarnation: number,
): Promise<{ resource: string; token: number }[]> {
  return transaction.query<{ resource: string; token: number }>(
    `INSERT INTO leases (resource, holder, token)
     SELECT w, $2, nextval('lease_tokens') FROM unnest($1::text[]) w
     WHERE EXISTS (SELECT FROM nodes WHERE incarnation = $2 AND state = 'up')
     ON CONFLICT DO NOTHING RETURNING resource, token`,
    [free, incarnation],
  );
}
