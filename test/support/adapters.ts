// Tests of the store's port run on both databases: what differs is said here.

import { test } from "vitest";
import { ADAPTER } from "./open-store.ts";

// For another database there is no such test, so that none is reported as skipped.
const unregistered = Object.assign(() => {}, { each: () => () => {} }) as unknown as typeof test;

/** A test of what only SQLite does, or that looks into its file. */
export const testSqlite = ADAPTER === "sqlite" ? test : unregistered;

/** Of a property: fewer on a server, where each has a schema of its own to make and every statement a way to go. */
export const runs = (onSqlite: number): { numRuns: number } => ({
  numRuns: ADAPTER === "sqlite" ? onSqlite : Math.ceil(onSqlite / 6),
});
