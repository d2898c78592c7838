import { availableParallelism } from "node:os";
import { join } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { withoutPostgrest } from "./test/support/needs-postgrest.ts";

/** The tests of the store's port, which run once more on PostgreSQL, and those of PostgreSQL alone. */
const ON_BOTH = [
  "audit",
  "audit-checkpoints",
  "auto-approval",
  "bodies",
  "commit",
  "counts",
  "events",
  "kill",
  "model",
  "pending",
  "search-memory",
  "search-words",
  "state",
  "tail",
  "writes",
  "writes-model",
].map((name) => `test/store/${name}.test.ts`);
const POSTGRES = ["test/store/postgres/**/*.test.ts", "test/e2e/postgres.test.ts", "test/e2e/fleet.test.ts"];

// The processes that tests start compile the same code again and again: with this, most of them need half the time.
process.env.NODE_COMPILE_CACHE ??= join(import.meta.dirname, "node_modules/.cache/nexusd-tests");

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // Many tests wait for processes of their own, so that two at once pay even on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    projects: [
      {
        extends: true,
        test: {
          name: "nexusd",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...withoutPostgrest(), ...POSTGRES],
        },
      },
      {
        extends: true,
        test: {
          name: "postgres",
          include: [...ON_BOTH, ...POSTGRES],
          env: { NEXUSD_TEST_STORE: "postgres" },
          globalSetup: "test/support/postgres-setup.ts",
        },
      },
    ],
  },
});
