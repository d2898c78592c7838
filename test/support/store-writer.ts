// A process that writes to a store until it is killed, and prints on stdout what was acknowledged: one line "<source>
// <n>" after each commit. Run as: node store-writer.ts DATA_DIR

import { writeSync } from "node:fs";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { systemClock } from "../../src/core/clock.ts";
import { openStore } from "./open-store.ts";

const [dataDir = ""] = process.argv.slice(2);
const store = await openStore({ dataDir, clock: systemClock });

const event = (source: string, n: number): NewEvent => ({
  type: "service.recovered",
  source,
  data: { service: "nex", state: `${n}` },
});

const writeForever = async (source: string): Promise<never> => {
  const stored = await store.readCursor(source);
  let n = Number(stored?.value ?? 0);
  for (;;) {
    n += 2;
    await store.commitObservation({ source, cursor: n, events: [event(source, n - 1), event(source, n)] });
    writeSync(1, `${source} ${n}\n`);
  }
};

writeSync(1, "ready\n");
await Promise.all(["/a", "/b", "/c"].map(writeForever));
