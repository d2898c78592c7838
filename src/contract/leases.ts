// The resources of a fleet of which there must be one.

/** Executes writes. A job that changes what writes change as well runs under it, on the same node. */
export const EXECUTOR_LEASE = "executor";

/** Wakes whom the sink wakes. */
export const sinkLease = (name: string): string => `sink:${name}`;

export const jobLease = (name: string): string => `job:${name}`;
