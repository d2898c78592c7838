// The page in a real Chromium: `npm run test:page`. One file at a time, since what they measure is the machine's, too.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/browser/*.browser.ts"],
    ...{ testTimeout: 60_000, hookTimeout: 120_000, pool: "forks", fileParallelism: false },
    expect: { poll: { timeout: 20_000 } },
  },
});
