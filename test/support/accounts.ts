// Accounts in a world where no key ever changes.

import type { Accounts } from "../../src/writes/accounts.ts";

export const oneAccount: Pick<Accounts, "of" | "change"> = {
  of: ({ origin, credential: { kind } }) => ({ origin, credential: kind, fingerprint: null }),
  change: () => undefined,
};
