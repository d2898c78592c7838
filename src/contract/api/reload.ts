// The result of a reload of the configuration.

import { z } from "zod";

export const reloadAnswer = z.object({
  applied: z.array(z.string()).describe("TOML paths that took effect"),
  restartNeeded: z.array(z.string()).describe("TOML paths that changed, but need a restart"),
});

export type ReloadResult = z.output<typeof reloadAnswer>;
