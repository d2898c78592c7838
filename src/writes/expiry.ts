// When a proposal has lived as long as it was given, whatever became of the wall clock meanwhile.

import type { Write } from "../contract/writes.ts";
import type { SteadyClock } from "../core/steady-clock.ts";

/** Never while the clock is not steady: a decision looks at the age itself. */
export const isOver =
  (steady: Pick<SteadyClock, "isOlder">) =>
  ({ proposedAt, expiresAt }: Pick<Write, "proposedAt" | "expiresAt">): boolean => {
    const madeAt = Date.parse(proposedAt);
    return steady.isOlder(madeAt, Date.parse(expiresAt) - madeAt);
  };
