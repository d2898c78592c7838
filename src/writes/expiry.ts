// Whether a proposal's lifetime has passed, despite steps of the wall clock.

import type { Write } from "../contract/writes.ts";
import type { SteadyClock } from "../core/steady-clock.ts";

/** Never while the clock is not steady: a decision checks the age itself. */
export const isOver =
  (steady: Pick<SteadyClock, "isOlder">) =>
  ({ proposedAt, expiresAt }: Pick<Write, "proposedAt" | "expiresAt">): boolean => {
    const madeAt = Date.parse(proposedAt);
    return steady.isOlder(madeAt, Date.parse(expiresAt) - madeAt);
  };
