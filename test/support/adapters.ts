// The tests of the store's port run on both databases; the differences are declared here.

import { test } from "vitest";
import { ADAPTER } from "./open-store.ts";

// Another database has no such test, so none is reported as skipped.
const unregistered = Object.assign(() => {}, { each: () => () => {} }) as unknown as typeof test;

/** A test of SQLite-only behaviour, or one that looks into its file. */
export const testSqlite = ADAPTER === "sqlite" ? test : unregistered;

/** Runs of a property: fewer on a server, where each creates its own schema and every statement is a round trip. */
export const runs = (onSqlite: number): { numRuns: number } => ({
  numRuns: ADAPTER === "sqlite" ? onSqlite : Math.ceil(onSqlite / 6),
});
