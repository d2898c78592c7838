// Whatever a service answers: the daemon stays within its unit's memory, reports what was too much and the limit, and
// continues with the other services.

import { afterEach, beforeEach, expect, test } from "vitest";
import { until } from "../support/daemon.ts";
import { byteByByte, json, type ServiceScene, startServiceScene, text } from "./service-scene.ts";

const MIB = 2 ** 20;
/** MemoryMax= of the unit. */
const MEMORY_MIB = 512;

let scene: ServiceScene;
beforeEach(async () => {
  scene = await startServiceScene();
});
afterEach(() => scene?.close());

/** A text of at most this many bytes. */
const fill = (unit: string, bytes: number) => unit.repeat(Math.floor(bytes / unit.length));
const ROW = { id: "1", created_at: "2026-11-01T12:00:00Z" };
const rows = (body: string) => `[${body}{"id":"last"}]`;

let serial = 0;
/** It lives, and new data from the services arrives. */
async function goesOn(): Promise<void> {
  const said = `all is well ${serial++}`;
  scene.answer = json([]);
  scene.messaging.post(scene.sessionId, "peer", { text: said });
  await until(async () => {
    expect(scene.ended()).toBeUndefined();
    scene.insight({ type: "risk", content: said });
    const events = await scene.log();
    return (
      events.some(({ type, data }) => type === "nexusd.messaging.message.received" && data.text === said) &&
      events.some(({ type, data }) => type === "nexusd.nex.insight.received" && data.insight.content === said)
    );
  }, "a message and an insight");
  await until(async () => (await scene.status()).services.nexus.state === "ok", "Nexus to be well again");
  expect(scene.peakMiB()).toBeLessThan(MEMORY_MIB);
}

const TOO_MUCH: [what: string, body: () => string, code: string, figure: RegExp][] = [
  [
    "60 MB of small objects",
    () => rows(fill('{"id":"1"},', 60e6)),
    "body_too_large",
    /more than 8388608 bytes/,
  ],
  [
    "8 MiB of empty objects",
    () => rows(fill("{},", 8 * MIB - 100)),
    "json_too_large",
    /more than 250000 values/,
  ],
  ["8 MiB of nested lists", () => fill("[", 8 * MIB - 100), "json_too_large", /nested more than 100 deep/],
  [
    "8 MiB of numbers of 999 digits",
    () => rows(fill(`${"9".repeat(999)},`, 8 * MIB - 100)),
    "json_too_large",
    /a number of more than 100 digits/,
  ],
];

test.each(TOO_MUCH)("%s are refused, with the limit", async (_what, body, code, figure) => {
  scene.answer = text(body());
  const answers = await Promise.all(
    ["nexus.orders.list", "nexus.customers.list", "nex.objects.list"].map((operation) =>
      scene.read(operation),
    ),
  );
  for (const { status, text } of answers) {
    expect(status, text).toBe(502);
    expect(text).toMatch(figure);
  }
  const lastError = await until(
    async () => (await scene.status()).services.nexus.lastError ?? undefined,
    "Nexus to be unwell",
  );
  expect(lastError.code).toBe(code);
  expect(lastError.message).toMatch(figure);
  await goesOn();
});

test("an answer in one-byte chunks is read like any other", async () => {
  const name = fill("n", MIB);
  scene.answer = byteByByte(JSON.stringify([{ ...ROW, name }]));
  const answers = await Promise.all([1, 2, 3].map(() => scene.read("nexus.customers.list")));
  for (const { status, text } of answers) {
    expect(status, text.slice(0, 500)).toBe(200);
    expect(text).toContain(name);
  }
  await goesOn();
});

test("20 texts of 1 MiB in one session arrive complete and in order", async () => {
  const texts = Array.from({ length: 20 }, (_, n) => fill(`${n} with words, `, MIB));
  for (const text of texts) scene.messaging.post(scene.sessionId, "peer", { text });
  const received = async () =>
    (await scene.log())
      .filter(({ type }) => type === "nexusd.messaging.message.received")
      .map(({ data }) => data.text);
  await until(async () => {
    expect(scene.ended()).toBeUndefined();
    return (await scene.status()).log.latest > 20 && (await received()).length >= texts.length;
  }, "the texts");
  const there = await received();
  expect(there.length).toBe(texts.length);
  expect(there.every((text, n) => text === texts[n])).toBe(true);
  await goesOn();
});

test("an insight of more than 256 KiB becomes a gap that says so", async () => {
  scene.insight({ type: "risk", content: fill("large ", 300 * 1024) });
  const gap = await until(
    async () => (await scene.log()).find(({ type }) => type === "nexusd.nex.stream.gap"),
    "the gap",
  );
  expect(gap.data.reason).toMatch(
    /an insight of 30\d KiB, more than limits.insight_bytes allows \(256 KiB\)/,
  );
  await goesOn();
});

test("simultaneous answers of more than 24 MiB wait for each other, and all arrive", async () => {
  const name = fill("n", 7 * MIB);
  scene.answer = json([{ ...ROW, name }]);
  for (let n = 0; n < 6; n++) scene.messaging.post(scene.sessionId, "peer", { text: fill("m", MIB) });
  const answers = await Promise.all(Array.from({ length: 10 }, () => scene.read("nexus.customers.list")));
  for (const { status, text } of answers) expect([200, 429], text.slice(0, 500)).toContain(status);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  await goesOn();
});
