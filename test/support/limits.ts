// The default limits, except for those that a test changes.

import type { Config } from "../../src/config/schema.ts";
import { limits } from "../../src/contract/limits.ts";

export const limitsOf = (changes: Partial<Config["limits"]> = {}): Config["limits"] => ({
  ...limits.parse({}),
  ...changes,
});
