// What one agent cannot do to another's writes, and what only an operator can stop.

import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { forgetSession, leaveSession } from "../../src/services/messaging/operations/leave.ts";
import type { Operation } from "../../src/services/operation.ts";
import { AGENT, createHarness, factsOf, OPERATOR } from "./harness.ts";

const hash = (token: string) => createHash("sha256").update(token).digest("hex");

it("an idempotency key belongs to the agent's name and the operation, and never returns another's write", async () => {
  const harness = await createHarness();
  const { writes } = harness;
  const ask = (agent: string | undefined, operation = "nexus.items.create", sku = "TEA-1") =>
    writes.propose(
      { operation, input: { sku }, idempotencyKey: "k", ...(agent !== undefined && { agent }) },
      AGENT,
    );
  const [mine, others, unnamed, tagged] = [
    await ask("one"),
    await ask("two"),
    await ask(undefined),
    await ask("one", "nexus.items.tag"),
  ];
  expect(new Set([mine, others, unnamed, tagged].map(({ write }) => write.id)).size).toBe(4);
  expect(await ask("one")).toMatchObject({ isNew: false, write: { id: mine.write.id } });
  await expect(ask("one", "nexus.items.create", "TEA-2")).rejects.toMatchObject({
    code: "idempotency_conflict",
    write: { id: mine.write.id },
  });
});

it("a bound proposal can be withdrawn only with its token, or by an operator; the token is in no answer", async () => {
  const harness = await createHarness();
  const propose = async (sku: string) =>
    (await harness.writes.propose({ operation: "nexus.items.create", input: { sku } }, AGENT, hash("mine")))
      .write;
  const first = await propose("A");
  expect(first.isBound).toBe(true);
  expect(JSON.stringify(first)).not.toContain(hash("mine"));
  for (const proof of [hash("guessed"), "none", ""])
    await expect(harness.writes.cancel(first.id, AGENT, proof)).rejects.toMatchObject({
      code: "token_required",
    });
  expect((await harness.writes.get(first.id)).state).toBe("proposed");
  expect((await harness.writes.cancel(first.id, AGENT, hash("mine"))).state).toBe("cancelled");
  const second = await propose("B");
  expect((await harness.writes.cancel(second.id, OPERATOR)).state).toBe("cancelled");
  const free = await harness.propose();
  expect((await harness.writes.cancel(free.id, AGENT, "none")).state, "unbound, as ever").toBe("cancelled");
  expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
});

it("an operator can stop an approved write before it begins; an agent cannot, and nothing is sent", async () => {
  const harness = await createHarness();
  const { id } = await harness.approved();
  await expect(harness.writes.cancel(id, AGENT, "none")).rejects.toMatchObject({
    code: "write_already_decided",
  });
  expect(await harness.writes.cancel(id, OPERATOR)).toMatchObject({
    state: "cancelled",
    decidedBy: OPERATOR,
  });
  await harness.executor.start();
  harness.executor.wake();
  await harness.finished((await harness.approved({ input: { sku: "next" } })).id);
  expect(harness.service.wire, "only the next one").toHaveLength(1);
  expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
});

it("when a stop races with the claim, exactly one of them wins", async () => {
  const harness = await createHarness();
  const outcomes: string[] = [];
  for (let n = 0; n < 20; n++) {
    const { id } = await harness.approved({ input: { sku: `${n}` } });
    const claim = () =>
      harness.store.claimNextWrite({ via: "nexusd", user: null }, "2026-01-01T00:00:00.000Z");
    const stop = () => harness.writes.cancel(id, OPERATOR).catch((error: { code: string }) => error.code);
    const [stopped, claimed] =
      n % 2 === 0
        ? await Promise.all([stop(), claim()])
        : await Promise.all([claim(), stop()]).then(([one, two]) => [two, one] as const);
    const { state } = await harness.writes.get(id);
    outcomes.push(state);
    if (state === "cancelled") expect(claimed, `${n}`).toBeUndefined();
    else expect([state, stopped], `${n}`).toEqual(["executing", "write_already_decided"]);
    if (state === "executing")
      await harness.store.transitionWrite({
        ...{ id, from: "executing", to: "failed", actor: OPERATOR, at: "2026-01-01T00:00:01.000Z" },
        ...{ patch: {}, detail: {} },
      });
  }
  expect(outcomes).toHaveLength(20);
});

it("many proposals are rejected at once by agent and operation, and none that the operator did not see", async () => {
  const harness = await createHarness();
  const ask = (agent: string, operation: string, sku: string) =>
    harness.propose({ operation, input: { sku }, agent });
  const wild = [];
  for (let n = 0; n < 120; n++) wild.push(await ask("wild", "nexus.items.create", `w${n}`));
  const tag = await ask("wild", "nexus.items.tag", "t");
  const other = await ask("calm", "nexus.items.create", "c");
  const filter = { agent: "wild", operation: "nexus.items.cr*" };
  const seen = await harness.writes.rejectAll({ ...filter, dryRun: true }, "stop", OPERATOR);
  expect([seen.count, seen.writes.length, seen.writes[0]?.id]).toEqual([120, 100, wild.at(-1)?.id]);
  expect((await harness.writes.counts()).rejected, "only looked at").toBe(0);
  await harness.clock.advance(10);
  const late = await ask("wild", "nexus.items.create", "late");
  const upTo = seen.writes[0]?.id ?? "";
  expect((await harness.writes.rejectAll({ ...filter, upTo }, "stop", OPERATOR)).count).toBe(120);
  for (const { id } of [tag, other, late]) expect((await harness.writes.get(id)).state).toBe("proposed");
  expect(await harness.writes.get(wild[0]?.id ?? "")).toMatchObject({ state: "rejected", note: "stop" });
  expect((await harness.writes.rejectAll({ operation: "*" }, "all", OPERATOR)).count).toBe(3);
});

it.each([leaveSession, forgetSession])(
  "$name of a configured session waits for an operator, of another session it does not",
  async (operation) => {
    const harness = await createHarness();
    // The type of the input is known at run time only, as in the real catalogue.
    harness.world.operations = [operation as unknown as Operation];
    const session = (sessionId: string, isConfigured: boolean) => ({
      ...{ sessionId, alias: null, baseUrl: "https://messaging.example", agentId: "nexusd", state: "joined" },
      ...(isConfigured && { isConfigured }),
    });
    const sessions = [session("configured-session", true), session("another-session", false)];
    harness.world.facts = {
      ...factsOf(),
      sessions,
      session: (name) => sessions.find(({ sessionId }) => sessionId === name) ?? session(name, false),
    };
    const ask = (name: string) => harness.propose({ operation: operation.name, input: { session: name } });
    expect(await ask("configured-session")).toMatchObject({
      ...{ state: "proposed", approval: "operator", destructive: true },
    });
    expect(await ask("another-session")).toMatchObject({
      ...{ state: "approved", approval: "auto", destructive: false },
    });
  },
);
