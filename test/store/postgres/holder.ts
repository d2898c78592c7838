// A process that opens the store of a schema, commits three events, says so, and waits to be killed.
// Run as: node holder.ts URL SCHEMA

import { writeSync } from "node:fs";
import { systemClock } from "../../../src/core/clock.ts";
import { openPostgresStore } from "../../../src/store/postgres/store.ts";

const [url = "", schema = ""] = process.argv.slice(2);
const store = await openPostgresStore({
  ...{ url, schema, node: "holder", keys: [Buffer.alloc(32, 7)], clock: systemClock },
});
for (const state of ["1", "2", "3"])
  await store.commitObservation({
    source: "s",
    events: [{ type: "service.recovered", source: "/test", data: { service: "nex", state } }],
  });
writeSync(1, "held\n");
setInterval(() => {}, 1000);
