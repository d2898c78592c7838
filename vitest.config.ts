import { availableParallelism } from "node:os";
import { configDefaults, defineConfig } from "vitest/config";
import { withoutPostgrest } from "./test/support/needs-postgrest.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...withoutPostgrest()],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    pool: "forks",
    // Many tests wait for processes of their own, so that two at once pay even on two cores.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
