// The limits of a configuration that says nothing of them, but for what a test changes.

import { limits } from "../../src/config/limits.ts";
import type { Config } from "../../src/config/schema.ts";

export const limitsOf = (changes: Partial<Config["limits"]> = {}): Config["limits"] => ({
  ...limits.parse({}),
  ...changes,
});
