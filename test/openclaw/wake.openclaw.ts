// The real gateway's answers to a wake: the words of src/sinks/openclaw are for these.

import { afterAll, beforeAll, expect, test } from "vitest";
import { openclaw } from "../../src/sinks/openclaw/kind.ts";
import { until } from "../support/daemon.ts";
import { openTarget, someNotice } from "../support/sink-target.ts";
import { type Gateway, HOOK_TOKEN, installGateway, START_MS } from "./gateway.ts";
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

const wake = async ({ path = "", token = HOOK_TOKEN, ...settings }: Record<string, string> = {}) => {
  const url = `${gateway.origin}${path}`;
  const { hand } = await openTarget(openclaw, { url, ...settings }, { secrets: { token } });
  return hand();
};

test("a wake is accepted, and reaches the model word for word", async () => {
  expect(await wake()).toEqual({ kind: "heard" });
  const text = 'nexusd: 2 events for the consumer \\"agent\\" (4 to 5)';
  const reached = await until(
    () => model.prompts.find((prompt) => turnOf(prompt).asked.includes(text)),
    "the wake",
  );
  process.stderr.write(`a wake costs a prompt of ${reached.bytes} bytes\n`);
});

test("the same wake is accepted again", async () => {
  expect(await wake()).toEqual({ kind: "heard" });
});

test.each([
  ["a token that is not that of the hooks", { token: "another-token-of-a-test" }, "token_refused"],
  ["an agent that it does not have", { agent_id: "nobody" }, "unknown_agent"],
  ["a path at which it has no hooks", { path: "/elsewhere" }, "hooks_off"],
])("%s is refused as such", async (_what, settings, code) => {
  expect(await wake(settings)).toMatchObject({ kind: "refused", code });
});

test("after many wrong tokens it throttles, but still accepts the right one", async () => {
  let refused = await wake({ token: "another-token-of-a-test" });
  for (let time = 0; time < 25 && refused.kind === "refused" && refused.code !== "throttled"; time++)
    refused = await wake({ token: "another-token-of-a-test" });
  expect(refused).toMatchObject({ kind: "refused", code: "throttled", retryAfterMs: expect.any(Number) });
  expect(await wake()).toEqual({ kind: "heard" });
});

test("a killed gateway refuses until it is back", async () => {
  await gateway.kill();
  expect(await wake()).toMatchObject({ kind: "refused", code: "connection_refused" });
  const seen = new Set<string>();
  const back = gateway.start();
  await until(
    async () => {
      const outcome = await wake();
      if (outcome.kind === "refused") seen.add(outcome.code);
      return outcome.kind === "heard";
    },
    () => `a wake that is heard, after ${[...seen].join(", ")}`,
    START_MS,
  );
  await back;
  expect([...seen].filter((code) => code !== "connection_refused" && code !== "starting")).toEqual([]);
});

test("a test wake asks for no action", async () => {
  const { hand } = await openTarget(openclaw, { url: gateway.origin }, { secrets: { token: HOOK_TOKEN } });
  expect(await hand({ ...someNotice, test: true })).toEqual({ kind: "heard" });
});
