// What a bridge of messages to an OpenClaw agent is for, and where such bridges lose or repeat them. docs/runtimes.md has
// the figures that these print, beside those of the plugin that they take the place of.

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../support/daemon.ts";
import { faultsOf } from "./agent.ts";
import { openScene, type Scene } from "./scene.ts";

/** How many messages the median is of; one each half minute. */
const TIMED = Number(process.env.NEXUSD_OPENCLAW_TIMED ?? 3);

let scene: Scene;

beforeAll(async () => {
  scene = await openScene('max_wakes_per_hour = 3600\ndebounce = "250ms"');
  await Promise.all([scene.startNexusd(), scene.gateway.start()]);
});
afterAll(() => scene?.close());
beforeEach(() => {
  scene.agent.onRead = () => undefined;
});

const report = (line: string) => process.stderr.write(`${line}\n`);

/** All that was said was read, and acknowledged once. @returns how many reads were repetitions */
async function done(): Promise<void> {
  await until(
    async () => (await scene.pending()) === 0,
    () => `an end:\n${scene.nexusdLog().slice(-5000)}`,
    600_000,
  );
  expect(faultsOf(scene.agent.history, await scene.logged())).toEqual([]);
}

const timesRead = (text: string) =>
  scene.agent.history.filter((entry) => entry.kind === "read" && entry.texts.includes(text)).length;

test("a message in a session reaches the agent, and the agent answers it", async () => {
  scene.agent.onRead = ({ texts }) =>
    texts.includes("is it in stock?")
      ? { tool: "nexusd__messages_send", input: { session: "shop", text: "yes, three of them" } }
      : undefined;
  scene.say("is it in stock?");
  await until(
    async () => (await messages()).includes("yes, three of them"),
    () => JSON.stringify(scene.model.prompts.at(-1)?.messages.slice(-3)),
    120_000,
  );
  await done();
});

test("messages half a minute apart each reach the model in time", async () => {
  const delays: number[] = [];
  for (let index = 0; index < TIMED; index++) {
    await sleep(31_000);
    const text = `timed ${index}`;
    const saidAt = Date.now();
    const heardAt = until(
      () => scene.agent.history.find((entry) => entry.kind === "read" && entry.texts.includes(text))?.at,
      text,
      120_000,
    );
    scene.say(text);
    delays.push((await heardAt) - saidAt);
  }
  await done();
  delays.sort((a, b) => a - b);
  const median = delays[Math.floor(delays.length / 2)] ?? Number.NaN;
  report(`message to model: median ${median} ms, most ${delays.at(-1)} ms, of ${delays.length}`);
  expect(median).toBeLessThan(3800);
});

test("a gateway killed after its model has taken a batch loses none of 15", async () => {
  const texts = Array.from({ length: 15 }, (_, index) => `taken ${index}`);
  const taken = Promise.withResolvers<void>();
  scene.agent.onRead = (entry) => {
    if (!entry.texts.includes("taken 0")) return undefined;
    scene.agent.onRead = () => undefined;
    taken.resolve();
    return { text: "NO_REPLY" };
  };
  scene.say(...texts);
  await taken.promise;
  await scene.gateway.kill();
  await scene.gateway.start();
  await done();
  const again = texts.filter((text) => timesRead(text) > 1).length;
  report(
    `killed with a batch of 15: ${texts.filter((text) => timesRead(text) > 0).length} acknowledged, ${again} read again before that`,
  );
});

test("a model that refuses for 90 s loses none of 5", async () => {
  const before = scene.wire.wakes.length;
  scene.refuse(500);
  scene.say(...Array.from({ length: 5 }, (_, index) => `refused ${index}`));
  await sleep(90_000);
  scene.refuse(undefined);
  const wellAt = Date.now();
  await done();
  report(
    `model away for 90 s: 5 of 5, ${Math.round((Date.now() - wellAt) / 1000)} s after it was back, ${scene.wire.wakes.length - before} wakes`,
  );
});

test("a server that lost its messages loses none of the later ones", async () => {
  scene.messaging.forgetMessages();
  scene.say(...Array.from({ length: 12 }, (_, index) => `after ${index}`));
  await until(
    async () => (await scene.logged()).length > 0 && timesRead("after 11") > 0,
    "the last of them",
    300_000,
  );
  await done();
  expect(Array.from({ length: 12 }, (_, index) => timesRead(`after ${index}`))).toEqual(Array(12).fill(1));
});

/** The texts of the session, as its members see them. */
async function messages(): Promise<string[]> {
  const url = `${scene.messaging.url}/v1/sessions/${scene.sessionId}/messages?after=0`;
  const response = await fetch(url, { headers: { "x-agent-id": "peer" } });
  const { messages: page = [] } = (await response.json()) as { messages?: { text?: string }[] };
  return page.map(({ text }) => text ?? "");
}
