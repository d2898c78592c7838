import { describe, expect, it, test } from "vitest";
import type { Actor } from "../../src/contract/actor.ts";
import { type Write, WriteError, type WriteErrorCode } from "../../src/contract/writes.ts";
import { parseJson } from "../../src/core/exact-json.ts";
import {
  AGENT,
  answers,
  createHarness,
  factsOf,
  type Harness,
  hangs,
  OPERATOR,
  policyOf,
} from "./harness.ts";

const MINUTE_MS = 60_000;

const refusal = async (work: Promise<unknown>): Promise<WriteError> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WriteError)) throw new Error(`must be refused, and was: ${error}`);
  return error;
};
const code = async (work: Promise<unknown>): Promise<WriteErrorCode> => (await refusal(work)).code;

describe("a proposal", () => {
  it("is stored as canonical JSON, with its digest and the request to be sent, and nothing is sent", async () => {
    const { writes, service } = await createHarness();
    const { write, isNew } = await writes.propose(
      {
        operation: "nexus.items.create",
        input: { sku: "TEA-1", count: 9_007_199_254_740_993n },
        reason: "stock",
        agent: "me",
      },
      AGENT,
    );
    expect(isNew).toBe(true);
    expect(write).toMatchObject({
      state: "proposed",
      request: '{"input":{"count":9007199254740993,"sku":"TEA-1"},"operation":"nexus.items.create"}',
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
      approval: "operator",
      target: "TEA-1",
      reason: "stock",
      agent: "me",
      proposedAt: "2026-01-01T00:00:00.000Z",
      expiresAt: "2026-01-01T01:00:00.000Z",
      preview: {
        method: "POST",
        url: "https://nexus.example/rest/v1/orders",
        body: '{"count":9007199254740993,"sku":"TEA-1"}',
      },
    });
    expect(write.preview.headers).toContainEqual({ name: "authorization", value: "‹agent token›" });
    expect(service.wire).toEqual([]);
  });

  it("for an unknown operation names the nearest one", async () => {
    const { writes } = await createHarness();
    const error = await refusal(writes.propose({ operation: "nexus.items.cr", input: {} }, AGENT));
    expect(error.code).toBe("operation_not_found");
    expect(error.message).toContain('"nexus.items.create"');
  });

  it("of a read is refused, and the error says where reads go", async () => {
    const { writes } = await createHarness();
    expect(await code(writes.propose({ operation: "nexus.items.list", input: {} }, AGENT))).toBe(
      "not_a_write",
    );
  });

  it("with an input that the operation does not accept names every wrong field", async () => {
    const { propose } = await createHarness();
    const error = await refusal(propose({ input: { note: 5, colour: "red" } }));
    expect(error.code).toBe("invalid_input");
    expect(error.errors).toEqual([
      { path: "sku", message: "is missing" },
      { path: "note", message: expect.stringContaining("string") },
      { path: "colour", message: "is not a field here" },
    ]);
  });

  it("with invalid Unicode, or too much text, is refused", async () => {
    const { propose } = await createHarness();
    expect(await code(propose({ input: { sku: "\ud800" } }))).toBe("invalid_input");
    expect(await code(propose({ input: { sku: "x".repeat(2 ** 18) } }))).toBe("proposal_too_large");
  });

  it("has a lifetime within limits", async () => {
    const { propose } = await createHarness();
    for (const ttlMs of [MINUTE_MS - 1, 30 * 86_400_000 + 1, Number.NaN])
      expect(await code(propose({ ttlMs }))).toBe("invalid_input");
    expect((await propose({ ttlMs: MINUTE_MS })).expiresAt).toBe("2026-01-01T00:01:00.000Z");
  });

  it("denied by policy is not even stored", async () => {
    const { propose, world, writes } = await createHarness();
    world.policy = policyOf({ "nexus.items.*": "deny" });
    expect(await code(propose())).toBe("policy_denied");
    expect((await writes.counts()).proposed).toBe(0);
  });

  it("reads the precondition, stores it, and is refused if it cannot be read in time", async () => {
    const { propose, service, clock } = await createHarness();
    const input = { orderId: "7", status: "shipped" };
    const write = await propose({ operation: "nexus.orders.update_status", input });
    expect(write.precondition).toBe('[{"order_status":"pending"}]');

    service.onRead = hangs;
    const slow = propose({ operation: "nexus.orders.update_status", input });
    const outcome = expect(slow).rejects.toMatchObject({ kind: "timeout" });
    await clock.advance(20_000);
    await outcome;
  });

  it("names sessions by their ids, whatever alias was used, so a later alias changes nothing", async () => {
    const { propose, world } = await createHarness();
    world.policy = policyOf({});
    const proposal = { operation: "messaging.messages.send", input: { session: "workshop", text: "hi" } };
    const write = await propose(proposal);
    expect(write.request).toContain('"session":"0123456789abcdef"');
    world.facts = factsOf({ workshop: "fedcba9876543210" });
    expect((await propose(proposal)).digest).not.toBe(write.digest);
  });

  it("approved by policy is approved at once, on record like any other", async () => {
    const { propose, store } = await createHarness();
    const write = await propose({
      operation: "messaging.messages.send",
      input: { session: "workshop", text: "hi" },
    });
    expect(write).toMatchObject({ state: "approved", decidedBy: { via: "policy", user: null } });
    const rows = await store.readAudit({ limit: 10 });
    expect(rows.map(({ action, actor }) => [action, actor.via])).toEqual([
      ["proposed", "agent.sock"],
      ["approved", "policy"],
    ]);
  });
});

describe("an idempotency key", () => {
  it("returns the same write for the same input, without asking the service again", async () => {
    const { writes, service } = await createHarness();
    const proposal = {
      operation: "nexus.orders.update_status",
      input: { orderId: "7", status: "shipped" },
      idempotencyKey: "k",
    };
    const first = await writes.propose(proposal, AGENT);
    service.onRead = hangs;
    expect(await writes.propose(proposal, AGENT)).toEqual({ write: first.write, isNew: false });
  });

  it("is refused for another input", async () => {
    const { propose } = await createHarness();
    const write = await propose({ idempotencyKey: "k" });
    const error = await refusal(propose({ idempotencyKey: "k", input: { sku: "other" } }));
    expect([error.code, error.write?.id]).toEqual(["idempotency_conflict", write.id]);
  });

  it("makes one write out of concurrent proposals", async () => {
    const { writes } = await createHarness();
    const proposal = { operation: "nexus.items.create", input: { sku: "A" }, idempotencyKey: "k" };
    const made = await Promise.all([1, 2, 3, 4].map(() => writes.propose(proposal, AGENT)));
    expect(new Set(made.map(({ write }) => write.id)).size).toBe(1);
    expect(made.filter(({ isNew }) => isNew)).toHaveLength(1);
  });

  it("does not take a write away from an operator, even if the policy has changed since", async () => {
    const { propose, world } = await createHarness();
    await propose({ idempotencyKey: "k" });
    world.policy = policyOf({ "*": "auto" });
    expect(await propose({ idempotencyKey: "k" })).toMatchObject({ state: "proposed", approval: "operator" });
  });

  it("lets the policy approve a write that a crash left proposed", async () => {
    const harness = await createHarness();
    harness.world.policy = policyOf({ "nexus.*": "auto" });
    const proposal = { idempotencyKey: "k" };
    const broken = harness.store.transitionWrite;
    harness.store.transitionWrite = () => new Promise(() => {});
    void harness.propose(proposal);
    await harness.clock.settle();
    harness.store.transitionWrite = broken;
    await harness.crash();
    expect((await harness.propose(proposal)).state).toBe("approved");
  });
});

describe("a rejected write", () => {
  it("cannot be proposed again for ten minutes, and the refusal says why and until when", async () => {
    const { propose, writes, clock } = await createHarness();
    const { id } = await propose();
    await writes.reject(id, "not today", OPERATOR);
    await clock.advance(10 * MINUTE_MS - 1);
    const error = await refusal(propose());
    expect(error.code).toBe("recently_rejected");
    expect(error.message).toContain('"not today"');
    expect(error.message).toContain("2026-01-01T00:10:00.000Z");
    expect(error.write?.note).toBe("not today");
    expect((await propose({ input: { sku: "other" } })).state).toBe("proposed");
    await clock.advance(1);
    expect((await propose()).state).toBe("proposed");
  });
});

describe("a decision", () => {
  const decisions: Record<string, (harness: Harness, write: Write) => Promise<Write>> = {
    approved: ({ writes }, { id, digest }) => writes.approve(id, digest, OPERATOR, "fine"),
    rejected: ({ writes }, { id }) => writes.reject(id, "no", OPERATOR),
    cancelled: ({ writes }, { id }) => writes.cancel(id, AGENT),
  };

  test.each(Object.keys(decisions))(
    "%s is made once, and every later one learns what it was",
    async (state) => {
      const harness = await createHarness();
      const write = await harness.propose();
      expect(await decisions[state]?.(harness, write)).toMatchObject({ state });
      for (const again of Object.values(decisions)) {
        const error = await refusal(again(harness, write));
        expect(error.code).toBe("write_already_decided");
        expect(error.message).toContain(`was ${state} at 2026-01-01T00:00:00.000Z by `);
        expect(error.write?.state).toBe(state);
      }
    },
  );

  test.each(Object.keys(decisions))(
    "%s is too late after the expiry, with or without the sweep",
    async (state) => {
      const harness = await createHarness();
      const write = await harness.propose();
      await harness.clock.advance(3_600_000);
      expect(await code(decisions[state]?.(harness, write) ?? Promise.resolve())).toBe("write_expired");
      expect((await harness.writes.get(write.id)).state).toBe("expired");
    },
  );

  test.each(Object.keys(decisions))("%s of an unknown id reports that", async (state) => {
    const harness = await createHarness();
    const write = { ...(await harness.propose()), id: "01UNKNOWN" };
    expect(await code(decisions[state]?.(harness, write) ?? Promise.resolve())).toBe("write_not_found");
  });

  it("is unique: of many concurrent ones exactly one succeeds", async () => {
    const harness = await createHarness();
    const write = await harness.propose();
    const all = await Promise.allSettled(
      Array.from({ length: 30 }, (_, n) => Object.values(decisions)[n % 3]?.(harness, write)),
    );
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const state = (await harness.writes.get(write.id)).state;
    const rows = await harness.store.readAudit({ limit: 100 });
    expect(rows.map(({ action }) => action)).toEqual(["proposed", state]);
  });

  it("to approve names the digest: another one approves nothing, whatever its length", async () => {
    const { propose, writes } = await createHarness();
    const { id, digest } = await propose();
    for (const other of [
      "",
      digest.slice(1),
      `${digest}0`,
      digest.toUpperCase(),
      "0".repeat(64),
      "é".repeat(32),
    ])
      expect(await code(writes.approve(id, other, OPERATOR))).toBe("digest_mismatch");
    expect((await writes.get(id)).state).toBe("proposed");
    expect((await writes.approve(id, digest, OPERATOR)).state).toBe("approved");
    expect(await code(writes.approve(id, "0".repeat(64), OPERATOR))).toBe("digest_mismatch");
  });

  it("on a write too large to show is refused, with the limit", async () => {
    const { propose, writes } = await createHarness();
    // Lines of some 90 characters: one more than the 2000 that are shown.
    const { id, digest } = await propose({ input: { sku: "x".repeat(200_000) } });
    const refused = await writes.approve(id, digest, OPERATOR).catch((error: Error) => error);
    expect(refused).toMatchObject({
      code: "preview_too_long",
      message: expect.stringContaining("only 2000 lines are shown"),
    });
    expect((await writes.get(id)).state).toBe("proposed");
    expect((await writes.reject(id, "too long", OPERATOR)).state).toBe("rejected");
  });

  it("to approve is refused if the policy now denies it", async () => {
    const { propose, writes, world } = await createHarness();
    const { id, digest } = await propose();
    world.policy = policyOf({ "*": "deny" });
    expect(await code(writes.approve(id, digest, OPERATOR))).toBe("policy_denied");
    expect((await writes.get(id)).state).toBe("proposed");
  });

  it("records who made it and what they said", async () => {
    const { propose, writes } = await createHarness();
    const { id, digest } = await propose();
    const actor: Actor = { via: "operator.sock", user: "ada" };
    expect(await writes.approve(id, digest, actor, "fine")).toMatchObject({ decidedBy: actor, note: "fine" });
  });

  it("wakes the executor", async () => {
    const harness = await createHarness();
    await harness.executor.start();
    const { id } = await harness.approved();
    expect((await harness.finished(id)).state).toBe("succeeded");
  });
});

describe("a write whose outcome is certain", () => {
  it("cannot be resolved", async () => {
    const { propose, writes } = await createHarness();
    const { id } = await propose();
    expect(await code(writes.resolve(id, "failed", "looked", OPERATOR))).toBe("write_not_unknown");
    expect(await code(writes.resolve("none", "failed", "looked", OPERATOR))).toBe("write_not_found");
  });
});

describe("waiting for a write", () => {
  const never = new AbortController().signal;

  it("ends with the next state", async () => {
    const { propose, writes } = await createHarness();
    const { id } = await propose();
    const waited = writes.waitFor(id, "proposed", 30_000, never);
    await writes.reject(id, "no", OPERATOR);
    expect((await waited).state).toBe("rejected");
    expect((await writes.waitFor(id, "proposed", 30_000, never)).state).toBe("rejected");
  });

  it("ends at its deadline, at the write's expiry, and when its caller goes away", async () => {
    const { propose, writes, clock } = await createHarness();
    const { id } = await propose({ ttlMs: MINUTE_MS });
    const short = writes.waitFor(id, "proposed", 1000, never);
    const gone = new AbortController();
    const left = writes.waitFor(id, "proposed", 1_000_000, gone.signal);
    const long = writes.waitFor(id, "proposed", 1_000_000, never);
    await clock.advance(1000);
    expect((await short).state).toBe("proposed");
    gone.abort();
    expect((await left).state).toBe("proposed");
    await clock.advance(MINUTE_MS);
    expect((await long).state).toBe("expired");
    expect(clock.pending()).toBe(0);
  });

  it("lasts its full time if the clock was stepped past the expiry, and ends once the write has expired", async () => {
    const { propose, writes, clock } = await createHarness();
    const { id } = await propose({ ttlMs: MINUTE_MS });
    await clock.advance(30_000);
    clock.jump(60 * MINUTE_MS);
    await clock.advance(35_000);
    let isBack = false;
    const waited = writes.waitFor(id, "proposed", 30_000, never).finally(() => {
      isBack = true;
    });
    await clock.advance(29_000);
    expect(isBack).toBe(false);
    await clock.advance(1000);
    expect((await waited).state).toBe("proposed");
    const long = writes.waitFor(id, "proposed", 1_000_000, never);
    await clock.advance(10 * MINUTE_MS);
    expect((await long).state).toBe("expired");
  });

  it("leaves nothing behind for an unknown write", async () => {
    let listeners = 0;
    const { writes } = await createHarness({
      wrap: (store) => ({
        ...store,
        onAppend(listener) {
          listeners++;
          const unsubscribe = store.onAppend(listener);
          return () => {
            listeners--;
            unsubscribe();
          };
        },
      }),
    });
    const before = listeners;
    expect(await code(writes.waitFor("none", "proposed", 30_000, never))).toBe("write_not_found");
    expect(listeners).toBe(before);
  });
});

describe("the list of writes", () => {
  it("has no proposal past its expiry", async () => {
    const { propose, writes, clock } = await createHarness();
    await propose();
    await clock.advance(3_600_000);
    expect((await writes.list({ limit: 10 })).map(({ state }) => state)).toEqual(["expired"]);
    expect(await writes.counts()).toMatchObject({ proposed: 0, expired: 1 });
  });

  it("has the newest first, even within a millisecond", async () => {
    const { propose, writes } = await createHarness();
    const skus = ["a", "b", "c", "d", "e"];
    for (const sku of skus) await propose({ input: { sku } });
    const listed = await writes.list({ limit: 10 });
    expect(listed.map(({ target }) => target)).toEqual(skus.toReversed());
  });

  it("records the first time that an operator sees a write", async () => {
    const { propose, writes, store } = await createHarness();
    const { id } = await propose();
    await writes.show(id, OPERATOR);
    expect((await writes.show(id, OPERATOR)).shownAt).toBe("2026-01-01T00:00:00.000Z");
    const rows = await store.readAudit({ limit: 10 });
    expect(rows.map(({ action }) => action)).toEqual(["proposed", "shown"]);
    expect(await code(writes.show("none", OPERATOR))).toBe("write_not_found");
  });
});

test("after a service was asked, the proposal is what was stored, even if the caller changes it meanwhile", async () => {
  const { writes, service } = await createHarness();
  const input = { orderId: "7", status: "shipped" };
  service.onRead = (request, signal) => {
    input.status = "cancelled";
    return answers([])(request, signal);
  };
  const { write } = await writes.propose({ operation: "nexus.orders.update_status", input }, AGENT);
  expect(parseJson(write.request)).toMatchObject({ input: { status: "shipped" } });
  expect(write.preview.body).toBe('{"order_status":"shipped"}');
});

describe("a clock step", () => {
  const propose = async ({ writes }: Harness, sku: string) =>
    (await writes.propose({ operation: "nexus.items.create", input: { sku } }, AGENT)).write;

  it("ends no proposal: it lives for its given time, and can be decided until then", async () => {
    const harness = await createHarness();
    const { writes, clock } = harness;
    const [first, second] = [await propose(harness, "A"), await propose(harness, "B")];
    clock.jump(60 * 24 * 60 * MINUTE_MS);
    await clock.advance(MINUTE_MS);
    expect(await writes.counts()).toMatchObject({ proposed: 2, expired: 0 });
    expect(await writes.list({ limit: 10 })).toMatchObject([{ state: "proposed" }, { state: "proposed" }]);
    expect((await writes.approve(first.id, first.digest, OPERATOR)).state).not.toBe("expired");
    clock.jump(-60 * 24 * 60 * MINUTE_MS);
    await clock.advance(58 * MINUTE_MS);
    expect((await writes.get(second.id)).state).toBe("proposed");
    await clock.advance(MINUTE_MS);
    expect((await writes.get(second.id)).state).toBe("expired");
  });

  it("does not free a proposal's place by ending one that lives", async () => {
    const harness = await createHarness({ limits: { open_proposals: 1 } });
    const { writes, clock } = harness;
    const { id } = await propose(harness, "A");
    clock.jump(60 * 24 * 60 * MINUTE_MS);
    expect(await code(propose(harness, "B"))).toBe("too_many_open_proposals");
    expect((await writes.get(id)).state).toBe("proposed");
  });

  it("gives no proposal a longer life: an expired one is refused, and swept once the clock is steady", async () => {
    const harness = await createHarness();
    const { writes, clock } = harness;
    const { id, digest } = await propose(harness, "A");
    await clock.advance(55 * MINUTE_MS);
    clock.jump(-50 * MINUTE_MS);
    await clock.advance(6 * MINUTE_MS);
    expect(await code(writes.approve(id, digest, OPERATOR))).toBe("write_expired");
    await clock.advance(10 * MINUTE_MS);
    expect((await writes.get(id)).state).toBe("expired");
  });

  it("lets a rejected write be proposed again neither sooner nor later", async () => {
    const harness = await createHarness();
    const { writes, clock } = harness;
    const { id } = await propose(harness, "A");
    await writes.reject(id, "no", OPERATOR);
    await clock.advance(2 * MINUTE_MS);
    clock.jump(24 * 60 * MINUTE_MS);
    await clock.advance(7 * MINUTE_MS);
    const again = await refusal(propose(harness, "A"));
    expect(again.code).toBe("recently_rejected");
    expect(again.message).toContain("after 2026-01-02T00:10:00.000Z");
    await clock.advance(MINUTE_MS);
    expect((await propose(harness, "A")).state).toBe("proposed");
  });
});
