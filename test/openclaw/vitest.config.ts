// The real OpenClaw gateway, which takes 650 MB and some minutes: `npm run test:openclaw`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/openclaw/*.openclaw.ts"],
    testTimeout: 7_200_000,
    hookTimeout: 300_000,
    pool: "forks",
    // One gateway takes a core while it starts.
    fileParallelism: false,
  },
});
