// What the gateway answers to a wake, and what becomes of it: the facts that src/sinks/openclaw.ts is built on.

import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../support/daemon.ts";
import { type Gateway, HOOK_TOKEN, installGateway } from "./gateway.ts";
import { type ScriptedModel, startModel, turnOf } from "./model.ts";

let model: ScriptedModel;
let gateway: Gateway;

beforeAll(async () => {
  model = await startModel(() => ({ text: "NO_REPLY" }));
  gateway = await installGateway({ modelUrl: model.url });
  await gateway.start();
});

afterAll(async () => {
  await gateway?.remove();
  await model?.close();
});

test("a wake reaches the model", async () => {
  const text = "3 events wait for the consumer agent";
  const { status, answer } = await wake({ text, mode: "now", agentId: "main" });
  expect([status, answer]).toMatchObject([200, { ok: true, eventOutcome: "queued" }]);
  await until(() => model.prompts.some((prompt) => turnOf(prompt).asked.includes(text)), "the wake");
});

const wake = async (body: object) => {
  const response = await fetch(`${gateway.origin}/hooks/wake`, {
    method: "POST",
    headers: { authorization: `Bearer ${HOOK_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, answer: await response.json() };
};
