// The page in a real Chromium: `npm run test:page`. Two files at a time: most of them wait for the browser, and what is
// measured is compared with what the machine does at that moment.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/browser/*.browser.ts"],
    ...{ testTimeout: 60_000, hookTimeout: 120_000, pool: "forks", maxWorkers: 2 },
    expect: { poll: { timeout: 20_000 } },
  },
});
