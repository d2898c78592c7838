// Sinks in a fleet: whichever node holds the lease of a sink wakes for it, and takes over what the others remembered.

import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { createFigures } from "../../src/sinks/figures.ts";
import { createSinks, type Sinks } from "../../src/sinks/sinks.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeFleet } from "../support/fake-fleet.ts";
import { watchedClock } from "../support/steady-clock.ts";
import { openTestStore } from "../support/store.ts";
import { message, sinkOf } from "./harness.ts";

async function createNodes(...names: string[]) {
  const clock = createFakeClock();
  const store = await openTestStore({ clock });
  const fleet = createFakeFleet();
  const wakes: string[] = [];
  const start = async (node: string): Promise<Sinks> => {
    const sinks = createSinks(
      {
        // Acknowledgements are made on a node without sinks.
        store: { ...fleet.storeOf(node, store), onAcknowledge: () => () => {} },
        ...{ clock, steady: watchedClock(clock), random: () => 0 },
        ...{ log: pino({ level: "silent" }), figures: createFigures(), version: "0.0.0" },
        ...{ agentSocket: "/nowhere/agent.sock", holderOf: fleet.holderOf },
        http: () => {
          throw new Error("not here");
        },
      },
      async () => ({
        hand: async () => {
          wakes.push(`${node} ${clock.uptime()}`);
          return { kind: "heard" };
        },
      }),
    );
    await sinks.configure({ sinks: [sinkOf()], secrets: () => ({}) });
    await clock.settle();
    onTestFinished(async () => {
      const stopped = sinks.stop(1000);
      await clock.advance(1000);
      await stopped;
    });
    return sinks;
  };
  const nodes: Sinks[] = [];
  for (const name of names) nodes.push(await start(name));
  return { clock, store, fleet, wakes, nodes };
}

test("three nodes wake an agent once", async () => {
  const { clock, store, wakes } = await createNodes("a", "b", "c");
  await store.commitObservation({ source: "test", events: [message()] });
  await clock.advance(10_000);
  expect(wakes).toEqual(["a 2000"]);
});

test("the next holder goes on with the ladder where the last one left it", async () => {
  const { clock, store, fleet, wakes } = await createNodes("a", "b");
  await store.commitObservation({ source: "test", events: [message()] });
  await clock.advance(35_000);
  expect(wakes).toEqual(["a 2000", "a 32000"]);
  fleet.lose("sink:agent");
  await clock.advance(150_000);
  expect(wakes.slice(2)).toEqual(["b 92000"]);
});

test("a node that does not run a sink shows what the holder stored, and names it", async () => {
  const { clock, store, nodes } = await createNodes("a", "b");
  await store.commitObservation({ source: "test", events: [message()] });
  await clock.advance(10_000);
  expect(await nodes[1]?.list()).toMatchObject([{ state: "waiting", wakes: 1, pending: 1 }]);
  expect(() => nodes[1]?.named("agent")).toThrow("The node a runs it");
  expect(nodes[0]?.named("agent")).toBeDefined();
});

test("an acknowledgement that nobody told of ends the waiting with the next event", async () => {
  const { clock, store, wakes, nodes } = await createNodes("a");
  const { latest } = await store.commitObservation({ source: "test", events: [message()] });
  await clock.advance(100_000);
  const before = wakes.length;
  await store.ackConsumer("agent", latest);
  await store.commitObservation({ source: "test", events: [message()] });
  await clock.advance(40_000);
  expect(wakes.length).toBeGreaterThan(before);
  expect(await nodes[0]?.list()).toMatchObject([{ acknowledged: 1 }]);
});
