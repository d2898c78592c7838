// A process that finishes writes and removes their bodies, over and over, until it is killed.
// Run as: node body-remover.ts DATA_DIR

import { writeSync } from "node:fs";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "./open-store.ts";
import { propose, rejection, t } from "./stored-write.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openStore({ dataDir, clock: systemClock });

for (let round = 0; ; round++) {
  await Promise.all(
    Array.from({ length: 300 }, async () => {
      const { id } = await propose(store, { reason: "body" });
      await store.transitionWrite(rejection(id, "no"));
    }),
  );
  if (round === 0) writeSync(1, "removing\n");
  await store.removeBodies(t(1_000_000), t(6));
}
