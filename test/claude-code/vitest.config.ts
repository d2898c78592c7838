// The real Claude Code, which takes 400 MB: `npm run test:claude-code`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/claude-code/*.claude-code.ts"],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: "forks",
    fileParallelism: false,
  },
});
