// The fleet as a node sees it: the nodes that share a database, and the leases by which each thing that must be done once
// is done by one of them. With SQLite there is one node, which holds everything at no cost.

/** The right of this node to do one thing, until it is lost. */
export interface Lease {
  readonly resource: string;
  /** Aborted once the lease is lost or released, or is to be given away because the node drains. */
  readonly signal: AbortSignal;
  /**
   * Until when no other node can hold it, as `clock.monotonic()`; grows with each renewal. Infinity: always.
   * In the past: it is not certain any more, or lost.
   */
  heldUntil(): number;
}

export interface FleetNode {
  name: string;
  version: string;
  /** `lost`: it has not been heard of for as long as a lease lasts, or its process is gone. */
  state: "up" | "draining" | "lost";
  /** RFC 3339, by the clock of the database. */
  startedAt: string;
  seenAt: string;
}

/** Who holds what. */
export interface HeldLease {
  resource: string;
  node: string;
  /** Grows with each change of the holder: a commit with an older one is refused. */
  token: number;
  /** RFC 3339, by the clock of the database. */
  since: string;
}

export interface Fleet {
  /** The name of this node. */
  readonly node: string;
  /**
   * Waits until this node holds the resource, and works with it. Commits that the work makes, however deep inside it, are
   * refused with a StoreError `fenced` once the lease is lost: nothing of them stays. Released when the work settles; a
   * work that another one of this node does under the same lease at the same time shares it, so it excludes other nodes
   * and not other work of this one. While the database is away it waits.
   * @throws `signal.reason` while it waits; whatever the work throws
   */
  hold<T>(resource: string, signal: AbortSignal, work: (lease: Lease) => Promise<T>): Promise<T>;
  /**
   * The same, without waiting. @returns undefined: another node holds it, or this one drains
   * @throws StoreError while the database is away; whatever the work throws
   */
  tryHold<T>(resource: string, work: (lease: Lease) => Promise<T>): Promise<{ result: T } | undefined>;
  /** Ordered by name. A node that left on its own is not there any more. */
  nodes(): Promise<FleetNode[]>;
  /** Ordered by resource. */
  leases(): Promise<HeldLease[]>;
  /**
   * From now on this node takes no lease, and each that it has is released when its work settles; `false`: takes some
   * again.
   * @throws StoreError `unusable` where there is no other node that could take them
   */
  drain(isDraining: boolean): Promise<void>;
}
