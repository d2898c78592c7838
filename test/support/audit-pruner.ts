// A process that fills an audit log, signs it off and removes it, over and over, until it is killed.
// Run as: node audit-pruner.ts DATA_DIR

import { writeSync } from "node:fs";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "./open-store.ts";
import { OPERATOR, propose, rejection, t } from "./stored-write.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openStore({ dataDir, clock: systemClock });

for (let round = 0; ; round++) {
  await Promise.all(
    Array.from({ length: 400 }, async () => {
      const { id } = await propose(store);
      await store.transitionWrite(rejection(id, "no"));
    }),
  );
  const { rows, head } = await store.verifyAudit();
  await store.signOffAudit({ sequence: rows, hash: head ?? "", note: null }, OPERATOR, t(5));
  if (round === 0) writeSync(1, "pruning\n");
  await store.pruneAudit(t(1_000_000), t(6));
}
