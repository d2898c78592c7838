// A process that is one node of a fleet, does as it is told by lines on stdin, and prints what happens, one line each.
// Run as: node node.ts URL SCHEMA NODE
//
// hold RESOURCE: waits for the lease, says "held RESOURCE", and commits an event under it again and again, each of
// which it prints as "committed RESOURCE SEQUENCE"; "lost RESOURCE" when the lease is lost, "refused RESOURCE CODE" with
// the code of each commit that is refused. Then it waits for it again.

import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { StoreError } from "../../../src/contract/store.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { openPostgresStore } from "../../../src/store/postgres/store.ts";

const [url = "", schema = "", node = ""] = process.argv.slice(2);
const store = await openPostgresStore({
  ...{ url, schema, node, keys: [Buffer.alloc(32, 7)], clock: systemClock },
});
const say = (...words: (string | number)[]) => void writeSync(1, `${words.join(" ")}\n`);

async function hold(resource: string): Promise<never> {
  let n = 0;
  for (;;)
    await store.fleet.hold(resource, new AbortController().signal, async (lease) => {
      say("held", resource);
      lease.signal.addEventListener("abort", () => say("lost", resource), { once: true });
      for (;;) {
        const isSure = lease.heldUntil() > systemClock.monotonic();
        try {
          const { appended } = await store.commitObservation({
            source: resource,
            events: [
              {
                type: "service.recovered",
                source: "/test",
                data: { service: "nex", state: `${node} ${++n} ${isSure}` },
              },
            ],
          });
          say("committed", resource, appended[0]?.sequence ?? 0);
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          say("refused", resource, error.code);
          if (error.code === "fenced") return;
        }
        await sleep(5);
      }
    });
}

say("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, resource = ""] = line.split(" ");
  if (word === "hold") void hold(resource);
}
