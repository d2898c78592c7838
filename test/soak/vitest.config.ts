// Slower than a test should be, and alone on the machine if possible: `npm run test:soak`.

import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["test/soak/*.soak.ts"], testTimeout: 600_000, hookTimeout: 120_000, pool: "forks" },
});
