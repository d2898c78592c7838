// Events in bursts, the gateway and nexusd killed at random: each is acknowledged once, and a wake is rare.
//
// NEXUSD_OPENCLAW_EVENTS and NEXUSD_OPENCLAW_KILLS (of each of the two) make it longer: 2000 and 20 take half an hour.
// NEXUSD_OPENCLAW_SEED gives the same bursts and pauses again.

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seeded } from "../../bench/traffic.ts";
import { until } from "../support/daemon.ts";
import { faultsOf } from "./agent.ts";
import { openScene, type Scene } from "./scene.ts";

const EVENTS = Number(process.env.NEXUSD_OPENCLAW_EVENTS ?? 120);
const KILLS = Number(process.env.NEXUSD_OPENCLAW_KILLS ?? 2);
const SEED = Number(process.env.NEXUSD_OPENCLAW_SEED ?? 1);
const LEAST_INTERVAL_MS = 30_000;
/** A kill falls somewhere between a burst and the end of the agent's work on it. */
const LONGEST_PAUSE_MS = 12_000;

let scene: Scene;

beforeAll(async () => {
  scene = await openScene("max_wakes_per_hour = 3600");
  await Promise.all([scene.startNexusd(), scene.gateway.start()]);
});
afterAll(() => scene?.close());

test(`${EVENTS} events over ${KILLS} kills of each: every one is acknowledged once`, async () => {
  const random = seeded(SEED);
  const victims = shuffled([...Array(KILLS).fill("gateway"), ...Array(KILLS).fill("nexusd")], random);
  const sizes = burstsOf(EVENTS, victims.length + 1, random);
  let said = 0;
  const burst = (size = 0) => scene.say(...Array.from({ length: size }, () => `message ${++said}`));

  const startedAt = Date.now();
  for (const victim of victims) {
    const before = scene.agent.history.length;
    burst(sizes.shift());
    // Every second kill waits until the agent is working, so that some fall between a read and its acknowledgement.
    if (random() < 0.5)
      await until(
        () => scene.agent.history.length > before,
        () => `an agent that reads:\n${scene.nexusdLog()}`,
        600_000,
      );
    await sleep(random() * (scene.agent.history.length > before ? 1000 : LONGEST_PAUSE_MS));
    if (victim === "gateway") {
      await scene.gateway.kill();
      await scene.gateway.start();
    } else {
      await scene.killNexusd();
      await scene.startNexusd();
    }
  }
  burst(sizes.shift());
  await until(async () => (await scene.logged()).length === said, "all messages in the log");
  await until(
    async () => (await scene.pending()) === 0,
    () => `an end:\n${scene.nexusdLog()}`,
    900_000,
  );

  const log = await scene.logged();
  expect(said).toBe(EVENTS);
  expect(new Set(log).size).toBe(EVENTS);
  expect(faultsOf(scene.agent.history, log)).toEqual([]);
  const { wakes } = scene.wire;
  const tooSoon = wakes
    .slice(1)
    .map((at, index) => at - (wakes[index] ?? 0))
    .filter((ms) => ms < LEAST_INTERVAL_MS - 500);
  expect(tooSoon).toEqual([]);
  const minutes = ((Date.now() - startedAt) / 60_000).toFixed(1);
  const repeated =
    scene.agent.history
      .filter(({ kind }) => kind === "read")
      .flatMap((entry) => (entry.kind === "read" ? entry.sequences : [])).length - EVENTS;
  process.stderr.write(
    `${EVENTS} events, ${KILLS} kills of each in ${minutes} min: ${wakes.length} wakes, ${scene.model.prompts.length} calls of the model, ${repeated} reads of events not yet acknowledged\n`,
  );
});

function shuffled<T>(items: T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

/** `count` parts of `total`, at random, none of them empty. */
function burstsOf(total: number, count: number, random: () => number): number[] {
  const weights = Array.from({ length: count }, () => 0.2 + random());
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const sizes = weights.map((weight) => Math.max(1, Math.floor((total * weight) / sum)));
  sizes[0] = (sizes[0] ?? 0) + total - sizes.reduce((all, size) => all + size, 0);
  return sizes;
}
