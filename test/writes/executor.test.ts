import { createHash } from "node:crypto";
import { describe, expect, it, test } from "vitest";
import { type Store, StoreError } from "../../src/contract/store.ts";
import type { Write } from "../../src/contract/writes.ts";
import type { SessionEffect } from "../../src/services/messaging/membership/changes.ts";
import { newSession } from "../../src/services/messaging/membership/session.ts";
import { AGENT_TOKEN } from "../../src/services/nexus/facts.ts";
import {
  type Facts,
  type Operation,
  OperationError,
  type OperationRequest,
} from "../../src/services/operation.ts";
import {
  answers,
  type Behaviour,
  createHarness,
  factsOf,
  fails,
  type Harness,
  hangs,
  httpError,
  OPERATIONS,
  OPERATOR,
  policyOf,
} from "./harness.ts";

const requestOf = (operation: Operation, input: unknown, facts: Facts): OperationRequest => {
  const request = operation.request?.(input, facts);
  if (!request) throw new Error("it has no request");
  return request;
};

const CREATE = { operation: "nexus.items.create", input: { sku: "TEA-1" } };
const TAG = { operation: "nexus.items.tag", input: { sku: "TEA-1" } };
const STATUS = { operation: "nexus.orders.update_status", input: { orderId: "7", status: "shipped" } };
const SEND = { operation: "messaging.messages.send", input: { session: "workshop", text: "hi" } };
const MINUTE_MS = 60_000;

/** A write executed with these behaviours of the service, one for each request. */
const executed = async (
  proposal: typeof CREATE | typeof TAG | typeof STATUS | typeof SEND,
  script: Behaviour[],
  afterwards?: Behaviour,
): Promise<{ harness: Harness; write: Write }> => {
  const harness = await createHarness();
  harness.world.policy = policyOf({});
  harness.service.script = script;
  if (afterwards) harness.service.otherwise = afterwards;
  await harness.executor.start();
  const { id } = await harness.approved(proposal);
  const finished = harness.finished(id);
  await harness.clock.advance(5 * MINUTE_MS);
  return { harness, write: await finished };
};

/** The same, but its change of a session cannot be built, whatever the answer. */
const withFailingEffects = (operation: Operation): Operation => {
  const effects = (): SessionEffect[] => [
    {
      sessionId: "0123456789abcdef",
      change: () => {
        throw new RangeError("Invalid time value");
      },
    },
  ];
  return {
    ...operation,
    effects,
    refused: async ({ code, message }) => ({ kind: "failed", error: { code, message }, effects: effects() }),
  };
};

const sent = ({ service }: Harness) => service.wire.length;

describe("the executed request", () => {
  it("is the one that was shown, built from the stored bytes alone", async () => {
    const { harness, write } = await executed(CREATE, []);
    expect(write).toMatchObject({ state: "succeeded", attempts: 1, result: { output: { ok: true } } });
    expect(harness.service.wire).toEqual([
      {
        origin: "https://nexus.example",
        method: "POST",
        path: "/rest/v1/orders",
        label: "orders",
        json: { sku: "TEA-1" },
        credential: AGENT_TOKEN,
      },
    ]);
  });

  it("is the approved one, exact beyond 2^53", async () => {
    const harness = await createHarness();
    await harness.executor.start();
    const { id } = await harness.approved({
      ...CREATE,
      input: { sku: "A", count: 123_456_789_012_345_678_901n },
    });
    await harness.finished(id);
    expect(harness.service.wire[0]?.json).toEqual({ sku: "A", count: 123_456_789_012_345_678_901n });
  });

  it("is not sent before an approval", async () => {
    const harness = await createHarness();
    await harness.executor.start();
    await harness.propose();
    await harness.clock.advance(MINUTE_MS);
    expect(sent(harness)).toBe(0);
  });
});

describe("an answer", () => {
  const refusals: [string, Behaviour, string][] = [
    ["400", fails("status", { status: 400, code: "bad", retryable: false }), "bad"],
    ["401", fails("status", { status: 401, code: "expired", retryable: false }), "expired"],
    ["403", fails("status", { status: 403, code: "scope", retryable: false }), "scope"],
    ["429", fails("status", { status: 429, code: "rate", retryAfterMs: 1000 }), "rate"],
    [
      "5xx of PostgreSQL with an SQLSTATE",
      fails("status", {
        status: 500,
        code: "23505",
        body: { code: "23505", message: "duplicate", details: null, hint: null },
      }),
      "23505",
    ],
    ["2xx that says that nothing was done", answers("nothing done"), "no_row_matched"],
  ];
  describe.each([CREATE, TAG])("to $operation", (proposal) => {
    test.each(refusals.filter(([name]) => proposal === CREATE || !name.startsWith("2xx")))(
      "%s is a failure, and nothing is repeated",
      async (_name, behaviour, code) => {
        const { harness, write } = await executed(proposal, [behaviour]);
        expect(write).toMatchObject({ state: "failed", attempts: 1, result: { error: { code } } });
        expect(sent(harness)).toBe(1);
      },
    );
  });

  it("that refuses is reported in the service's own words, without text that looks like a secret", async () => {
    const body = { error: "bad", message: "sku is taken by nxs_ak_0123456789abcdef" };
    const { write } = await executed(CREATE, [fails("status", { status: 400, code: "bad", body })]);
    expect(write.result?.error?.message).toBe("nexus: orders status: sku is taken by ‹redacted›");
  });
});

describe("an unknown outcome", () => {
  const doubts: [string, Behaviour, string][] = [
    ["time-out", fails("timeout"), "timeout"],
    ["cut connection", fails("network", { code: "connection_lost" }), "connection_lost"],
    ["502", fails("status", { status: 502, code: "http_502" }), "http_502"],
    [
      "500 with five letters that are no SQLSTATE",
      fails("status", { status: 500, code: "ERROR", body: { error: "ERROR" } }),
      "ERROR",
    ],
    [
      "500 with what looks like an SQLSTATE, and nothing else of PostgREST",
      fails("status", { status: 500, code: "E1234", body: { code: "E1234" } }),
      "E1234",
    ],
    [
      "SQLSTATE that says that it does not know",
      fails("status", {
        status: 503,
        code: "08007",
        body: { code: "08007", message: "", details: null, hint: null },
      }),
      "08007",
    ],
    ["2xx that is not JSON", fails("invalid_body", { status: 200, code: "invalid_json" }), "invalid_json"],
    [
      "2xx that is too large",
      fails("too_large", { retryable: false, code: "body_too_large" }),
      "body_too_large",
    ],
    ["redirect", fails("redirect_refused", { retryable: false, code: "redirect_method" }), "redirect_method"],
    ["error that nobody expected", () => Promise.reject(new TypeError("x")), "internal_error"],
  ];

  test.each(doubts)(
    "after a %s stays unknown, and a write that is not idempotent is never repeated",
    async (_, behaviour, code) => {
      const { harness, write } = await executed(CREATE, [behaviour]);
      expect(write).toMatchObject({
        state: "unknown",
        attempts: 1,
        result: { error: { code }, remedy: "Look for the item by its sku." },
      });
      expect(sent(harness)).toBe(1);
    },
  );

  test.each(
    doubts.filter(([, , code]) => !["body_too_large", "redirect_method", "internal_error"].includes(code)),
  )("after a %s is resolved by repeating an idempotent write", async (_, behaviour) => {
    const { harness, write } = await executed(TAG, [behaviour, behaviour]);
    expect(write).toMatchObject({ state: "succeeded", attempts: 3 });
    expect(sent(harness)).toBe(3);
  });

  it("after an unreadable answer stays unknown, with a line in the log", async () => {
    const { harness, write } = await executed(CREATE, [answers("unreadable")]);
    expect(write).toMatchObject({ state: "unknown", result: { error: { code: "internal_error" } } });
    expect(JSON.stringify(write)).not.toContain("not what was expected");
    expect(harness.lines.find(({ msg }) => String(msg).startsWith("a defect"))).toBeDefined();
  });

  it.each([
    ["succeeded", answers({ ok: true }), "unknown", "internal_error"],
    ["failed", fails("status", { status: 409, code: "conflict" }), "failed", "conflict"],
  ])(
    "does not delay the next write if its record cannot be built: what %s is stored without it",
    async (_name, behaviour, state, code) => {
      const harness = await createHarness();
      harness.world.operations = OPERATIONS.map(withFailingEffects);
      harness.service.script = [behaviour];
      await harness.executor.start();
      const { id } = await harness.approved(CREATE);
      expect(await harness.finished(id)).toMatchObject({ state, attempts: 1, result: { error: { code } } });
      if (state === "unknown")
        expect((await harness.writes.get(id)).result).toMatchObject({
          error: { message: expect.stringContaining("(RangeError)") },
          remedy: "Look for the item by its sku.",
        });
      expect(harness.lines.some(({ msg }) => String(msg).startsWith("a defect"))).toBe(true);
      harness.world.operations = OPERATIONS;
      const next = await harness.approved({ ...CREATE, input: { ...CREATE.input, note: "next" } });
      expect((await harness.finished(next.id)).state).toBe("succeeded");
    },
  );

  it("is retried with backoff until the deadline of two minutes, and is unknown then", async () => {
    const harness = await createHarness();
    harness.service.otherwise = fails("timeout");
    await harness.executor.start();
    const { id } = await harness.approved(TAG);
    await harness.clock.advance(110_000);
    expect((await harness.writes.get(id)).state).toBe("executing");
    await harness.clock.advance(20_000);
    const write = await harness.writes.get(id);
    expect(write).toMatchObject({ state: "unknown", result: { error: { code: "timeout" } } });
    expect(write.attempts).toBe(sent(harness));
    expect(sent(harness)).toBeGreaterThan(5);
    expect(sent(harness)).toBeLessThan(30);
  });

  it("is not settled by a later refusal: the first request may have been executed", async () => {
    const { harness, write } = await executed(TAG, [
      fails("timeout"),
      fails("status", { status: 404, code: "gone" }),
    ]);
    expect(write).toMatchObject({ state: "unknown", result: { error: { code: "timeout" } } });
    expect(sent(harness)).toBe(2);
  });

  it("is resolved by reading back, if the service shows the effect", async () => {
    const harness = await createHarness();
    harness.service.script = [fails("timeout")];
    harness.service.onRead = answers(["hi"]);
    await harness.executor.start();
    const { id } = await harness.propose(SEND);
    expect(await harness.finished(id)).toMatchObject({ state: "succeeded", result: { output: "read back" } });
    expect(sent(harness)).toBe(1);
  });

  test.each<[string, number, number]>([
    ["that is right", 0, 0],
    ["that is an hour behind", -60 * MINUTE_MS, 0],
    ["that was an hour behind, and is put right meanwhile", -60 * MINUTE_MS, 60 * MINUTE_MS],
  ])(
    "is resolved by what came after it, and not by what existed before, by a clock %s",
    async (_, wrongBy, mendedBy) => {
      for (const [madeIn, state] of [
        [-MINUTE_MS, "unknown"],
        [1000, "succeeded"],
      ] as const) {
        const harness = await createHarness();
        const { clock, service } = harness;
        const offset = clock.now() - clock.monotonic();
        const theirs = () => offset + clock.monotonic();
        const at = theirs() + madeIn;
        clock.jump(wrongBy);
        service.script = [
          (...request) => {
            clock.jump(mendedBy);
            return fails("timeout")(...request);
          },
        ];
        service.onRead = () => ({
          ...{ status: 200, headers: { date: new Date(theirs()).toUTCString() } },
          body: [{ text: "hi", at }],
        });
        await harness.executor.start();
        const { id } = await harness.propose(SEND);
        expect(await harness.finished(id)).toMatchObject({ state });
      }
    },
  );

  test.each([
    ["shows none", answers([])],
    ["cannot be read", fails("network", { maybeSent: false })],
    ["does not answer", hangs],
  ])("stays unknown if the service %s", async (_name, onRead) => {
    const harness = await createHarness();
    harness.service.script = [fails("timeout")];
    harness.service.onRead = onRead;
    await harness.executor.start();
    const { id } = await harness.propose(SEND);
    await harness.clock.advance(MINUTE_MS);
    expect(await harness.writes.get(id)).toMatchObject({
      state: "unknown",
      result: { error: { code: "timeout" }, remedy: expect.stringContaining("nexusctl writes resolve") },
    });
    expect(sent(harness)).toBe(1);
  });

  it("is resolved by an operator, once", async () => {
    const { harness, write } = await executed(CREATE, [fails("timeout")]);
    const resolved = await harness.writes.resolve(write.id, "succeeded", "seen it", OPERATOR);
    expect(resolved).toMatchObject({ state: "resolved", outcome: "succeeded", note: "seen it" });
    await expect(harness.writes.resolve(write.id, "failed", "no", OPERATOR)).rejects.toMatchObject({
      code: "write_not_unknown",
    });
  });
});

describe("a request that was certainly not sent", () => {
  const unsent: [string, Behaviour][] = [
    ["connection refused", fails("network", { maybeSent: false, code: "connection_refused" })],
    ["no place in the budget", fails("timeout", { maybeSent: false, code: "budget_timeout" })],
    ["no token for now", fails("status", { maybeSent: false, status: 503, code: "http_503" })],
    ["too many token exchanges", fails("status", { maybeSent: false, status: 429, code: "rate" })],
    [
      "no session key for now",
      () => Promise.reject(new OperationError("service_unavailable", "the key cannot be read now")),
    ],
  ];
  describe.each([CREATE, TAG])("of $operation", (proposal) => {
    test.each(unsent)("(%s) is retried", async (_name, behaviour) => {
      const { write } = await executed(proposal, [behaviour, behaviour, behaviour]);
      expect(write).toMatchObject({ state: "succeeded", attempts: 1 });
    });
  });

  it("is a failure when its time is up, which says that nothing was sent", async () => {
    const { write } = await executed(CREATE, [], unsent[0]?.[1]);
    expect(write).toMatchObject({
      state: "failed",
      attempts: 0,
      result: {
        error: { code: "connection_refused", message: expect.stringContaining("Nothing was sent") },
      },
    });
  });

  it("is not counted, before or after one that was sent", async () => {
    const refused = fails("network", { maybeSent: false, code: "connection_refused" });
    const { write } = await executed(TAG, [refused, fails("timeout")], refused);
    expect(write).toMatchObject({ state: "unknown", attempts: 1, result: { error: { code: "timeout" } } });
  });

  it("and never can be is a failure at once", async () => {
    const refused = fails("status", {
      ...{ maybeSent: false, retryable: false, status: 401, code: "agent_key_refused" },
    });
    const { harness, write } = await executed(CREATE, [refused]);
    expect(write).toMatchObject({
      ...{ state: "failed", attempts: 0, result: { error: { code: "agent_key_refused" } } },
    });
    expect(sent(harness)).toBe(1);
  });

  it("waits at least as long as the service asks for", async () => {
    const harness = await createHarness();
    harness.service.script = [fails("status", { maybeSent: false, status: 429, retryAfterMs: 50_000 })];
    await harness.executor.start();
    const { id } = await harness.approved(CREATE);
    await harness.clock.advance(49_000);
    expect(sent(harness)).toBe(1);
    await harness.clock.advance(2000);
    expect((await harness.finished(id)).state).toBe("succeeded");
  });
});

describe("between approval and execution", () => {
  /** Approves, runs `change`, and only then starts to execute. */
  const afterChange = async (
    proposal: typeof CREATE | typeof STATUS | typeof SEND,
    change: (harness: Harness) => unknown,
  ): Promise<{ harness: Harness; write: Write }> => {
    const harness = await createHarness();
    const { id, digest, state } = await harness.propose(proposal);
    if (state === "proposed") await harness.writes.approve(id, digest, OPERATOR);
    await change(harness);
    await harness.executor.start();
    const write = await harness.finished(id);
    expect(write.attempts, "counts what was sent").toBe(sent(harness));
    return { harness, write };
  };
  const stale = (message: string) => ({
    state: "failed",
    result: { error: { code: "stale", message: expect.stringContaining(message) } },
  });

  it("the policy may change to deny it", async () => {
    const { harness, write } = await afterChange(CREATE, ({ world }) => {
      world.policy = policyOf({ "*": "deny" });
    });
    expect(write).toMatchObject({ state: "failed", result: { error: { code: "policy_denied" } } });
    expect(sent(harness)).toBe(0);
  });

  it("the policy that approved it may change to require an operator", async () => {
    const { harness, write } = await afterChange(SEND, ({ world }) => {
      world.policy = policyOf({});
    });
    expect(write).toMatchObject({ state: "failed", result: { error: { code: "policy_changed" } } });
    expect(sent(harness)).toBe(0);
  });

  it("its approval may be missing in the audit log, or belong to another write", async () => {
    const { harness, write } = await afterChange(CREATE, ({ store }) => {
      store.whyNotApproved = async () => "not as the audit log says: the reason";
    });
    expect(write).toMatchObject({
      state: "failed",
      result: {
        error: { code: "not_approved", message: expect.stringMatching(/^Nothing was sent: not as/) },
      },
    });
    expect(sent(harness)).toBe(0);
  });

  it("the key may have changed: a write approved for one is not sent with another", async () => {
    const { harness, write } = await afterChange(CREATE, ({ world }) => {
      world.apiKey = "key-two";
    });
    expect(write).toMatchObject(stale("Nothing was sent: since the proposal the key of nexus changed."));
    expect(sent(harness)).toBe(0);
    expect(write.account).toEqual({
      origin: "https://nexus.example",
      credential: "nexus",
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("the key may be the same after a restart, and the fingerprint reveals nothing of it", async () => {
    const harness = await createHarness();
    const { id, account } = await harness.approved(CREATE);
    await harness.crash();
    await harness.executor.start();
    expect((await harness.finished(id)).state).toBe("succeeded");
    const plain = ["key-one", "nexus\0key-one"].map((text) =>
      createHash("sha256").update(text).digest("hex"),
    );
    expect(plain).not.toContain(account?.fingerprint);
    const elsewhere = await createHarness();
    expect((await elsewhere.propose(CREATE)).account?.fingerprint, "of another database").not.toBe(
      account?.fingerprint,
    );
  });

  it("a proposal for another account cannot be approved, and the error says what changed and what to do", async () => {
    const harness = await createHarness();
    const { id, digest } = await harness.propose(CREATE);
    harness.world.apiKey = "key-two";
    await expect(harness.writes.approve(id, digest, OPERATOR)).rejects.toMatchObject({
      code: "stale",
      message: expect.stringMatching(/the key nexus.api_key changed.*have it proposed again/),
    });
    const { origins, ...rest } = factsOf();
    harness.world.facts = { ...rest, origins: { ...origins, nexus: "https://other.example" } };
    await expect(harness.writes.approve(id, digest, OPERATOR)).rejects.toThrow(
      /nexus.base_url, which was https:\/\/nexus.example and is https:\/\/other.example, and the key/,
    );
    expect((await harness.writes.get(id)).state, "it waits to be rejected").toBe("proposed");
    harness.world.apiKey = "key-one";
    harness.world.facts = factsOf();
    expect((await harness.writes.approve(id, digest, OPERATOR)).state).toBe("approved");
  });

  it("the policy may change to approve by itself what an operator approved", async () => {
    const { write } = await afterChange(CREATE, ({ world }) => {
      world.policy = policyOf({ "*": "auto" });
    });
    expect(write.state).toBe("succeeded");
  });

  it("the precondition may fail: the stored value is compared with the current one", async () => {
    const { harness, write } = await afterChange(STATUS, ({ service }) => {
      service.onRead = answers([{ order_status: "cancelled" }]);
    });
    expect(write).toMatchObject(
      stale('it was [{"order_status":"pending"}], it is [{"order_status":"cancelled"}]'),
    );
    expect(sent(harness)).toBe(0);
  });

  it("the precondition may hold, with its fields in any order", async () => {
    const harness = await createHarness();
    harness.service.onRead = answers([{ a: 1, b: 2 }]);
    const { id } = await harness.approved(STATUS);
    harness.service.onRead = answers([{ b: 2, a: 1 }]);
    await harness.executor.start();
    expect((await harness.finished(id)).state).toBe("succeeded");
  });

  it("the request may have changed: the differences are named", async () => {
    const elsewhere = await afterChange(CREATE, ({ world }) => {
      const { origins, ...rest } = factsOf();
      world.facts = { ...rest, origins: { ...origins, nexus: "https://other.example" } };
    });
    expect(elsewhere.write).toMatchObject(stale("the URL"));
    const otherBody = await afterChange(CREATE, ({ world }) => {
      world.operations = OPERATIONS.map((operation) => ({
        ...operation,
        request: (input, facts) => ({
          ...requestOf(operation, input, facts),
          json: { sku: "TEA-2" },
          headers: { prefer: "return=minimal" },
        }),
      }));
    });
    expect(otherBody.write).toMatchObject(stale("the header prefer, the body."));
    expect(sent(elsewhere.harness) + sent(otherBody.harness)).toBe(0);
  });

  it("the stored request may be changed in the database, for the moment of its claim", async () => {
    const tampered = (write: Write | undefined) =>
      write && { ...write, request: write.request.replace("TEA-1", "TEA-2") };
    const wrap = (store: Store): Store =>
      new Proxy(store, {
        get(_, key) {
          if (key === "claimNextWrite")
            return async (...args: Parameters<Store["claimNextWrite"]>) =>
              tampered(await store.claimNextWrite(...args));
          const member: unknown = Reflect.get(store, key);
          return typeof member === "function" ? member.bind(store) : member;
        },
      });
    const harness = await createHarness({ wrap });
    await harness.executor.start();
    const { id } = await harness.approved(CREATE);
    expect(await harness.finished(id)).toMatchObject({
      state: "failed",
      result: { error: { code: "not_approved" } },
    });
    expect(sent(harness)).toBe(0);
  });

  it("the operation may disappear", async () => {
    const { write } = await afterChange(CREATE, ({ world }) => {
      world.operations = [];
    });
    expect(write).toMatchObject({ state: "failed", result: { error: { code: "operation_not_found" } } });
  });

  it("the session may disappear", async () => {
    const { write } = await afterChange(SEND, ({ world }) => {
      world.facts = {
        ...factsOf(),
        session: () => {
          throw new OperationError("session_not_found", "gone");
        },
      };
      world.operations = OPERATIONS.map((operation) => ({
        ...operation,
        request: (input, facts) => {
          world.facts.session("0123456789abcdef");
          return requestOf(operation, input, facts);
        },
      }));
    });
    expect(write).toMatchObject({ state: "failed", result: { error: { code: "session_not_found" } } });
  });

  it("the service may be down, so the precondition is read later", async () => {
    const harness = await createHarness();
    const { id } = await harness.approved(STATUS);
    harness.service.onRead = fails("network", { maybeSent: false });
    await harness.executor.start();
    await harness.clock.advance(10_000);
    harness.service.onRead = answers([{ order_status: "pending" }]);
    const finished = harness.finished(id);
    await harness.clock.advance(MINUTE_MS);
    expect(await finished).toMatchObject({ state: "succeeded", attempts: 1 });
  });
});

describe("many writes", () => {
  it("to one target are executed one after the other, in order of their approval", async () => {
    const harness = await createHarness();
    const proposed: Write[] = [];
    for (const note of ["a", "b", "c", "d"])
      proposed.push(await harness.propose({ ...CREATE, input: { sku: "TEA-1", note } }));
    const order = [2, 0, 3, 1];
    for (const n of order) {
      const { id, digest } = proposed[n] ?? expect.fail();
      await harness.writes.approve(id, digest, OPERATOR);
    }
    let inFlight = 0;
    harness.service.otherwise = async () => {
      inFlight += 1;
      expect(inFlight).toBe(1);
      await harness.clock.settle();
      inFlight -= 1;
      return { status: 201, headers: {}, body: null };
    };
    await harness.executor.start();
    for (const { id } of proposed) expect((await harness.finished(id)).state).toBe("succeeded");
    expect(harness.service.wire.map(({ json }) => json)).toEqual(
      order.map((n) => ({ sku: "TEA-1", note: ["a", "b", "c", "d"][n] })),
    );
  });

  it("to one target are each built from what the previous one changed, even if claimed at once", async () => {
    let isChanged = false;
    const changed: boolean[] = [];
    const wrap = (store: Store): Store =>
      new Proxy(store, {
        get(_, key) {
          const member: unknown = Reflect.get(store, key);
          if (typeof member !== "function") return member;
          return (...args: unknown[]) => {
            const result: unknown = Reflect.apply(member, store, args);
            // The claim of the next one shares the commit.
            if (key === "transitionWrite") harness.executor.wake();
            return result;
          };
        },
      });
    const harness: Harness = await createHarness({
      wrap,
      sessions: {
        get: () => undefined,
        put: () => {
          isChanged = true;
        },
      },
    });
    const session = newSession({ sessionId: "s", alias: null, baseUrl: "https://m", agentId: "nexusd" });
    const effects = () => [{ sessionId: "s", change: () => ({ session, events: [] }) }];
    harness.world.operations = OPERATIONS.map((operation) => ({ ...operation, effects }));
    Object.defineProperty(harness.world, "facts", {
      get() {
        changed.push(isChanged);
        return factsOf();
      },
    });
    const writes = [
      await harness.approved(CREATE),
      await harness.approved({ ...CREATE, input: { sku: "TEA-1", note: "b" } }),
    ];
    changed.length = 0;
    harness.service.otherwise = async () => {
      await harness.clock.settle();
      return { status: 201, headers: {}, body: null };
    };
    await harness.executor.start();
    for (const { id } of writes) await harness.finished(id);
    expect(changed).toEqual([false, true]);
  });

  it("to different targets are executed concurrently, eight at most", async () => {
    const harness = await createHarness();
    const writes: Write[] = [];
    for (let n = 0; n < 11; n++) writes.push(await harness.approved({ ...CREATE, input: { sku: `${n}` } }));
    const release: (() => void)[] = [];
    harness.service.otherwise = () =>
      new Promise((resolve) => release.push(() => resolve({ status: 201, headers: {}, body: null })));
    await harness.executor.start();
    await harness.clock.settle();
    await harness.clock.settle();
    expect(sent(harness)).toBe(8);
    release.shift()?.();
    await harness.reached(writes[0]?.id ?? "", "succeeded");
    await harness.reached(writes[8]?.id ?? "", "executing");
    while (sent(harness) < 11 || release.length > 0) {
      release.shift()?.();
      await harness.clock.settle();
    }
    for (const { id } of writes) expect((await harness.finished(id)).state).toBe("succeeded");
  });

  it("approved by policy leave half of the places to a person's, which goes first", async () => {
    const harness = await createHarness();
    harness.world.policy = policyOf({ "nexus.*": "operator", [CREATE.operation]: "auto" });
    const release: (() => void)[] = [];
    harness.service.otherwise = () =>
      new Promise((resolve) => release.push(() => resolve({ status: 201, headers: {}, body: null })));
    await harness.executor.start();
    for (let n = 0; n < 12; n++) await harness.propose({ ...CREATE, input: { sku: `${n}` } });
    for (let n = 0; n < 4; n++) await harness.clock.settle();
    expect(sent(harness)).toBe(4);
    const peoples = await harness.approved(TAG);
    await harness.reached(peoples.id, "executing");
    for (let n = 0; n < 20 && sent(harness) < 5; n++) await harness.clock.settle();
    const priorities = harness.service.sentFor.map(({ priority }) => priority);
    expect(priorities).toEqual([...Array(4).fill("agent_writes"), "people"]);
    while (release.length > 0) {
      release.shift()?.();
      await harness.clock.settle();
    }
  });

  it("are not blocked by one that does not end", async () => {
    const harness = await createHarness();
    harness.service.script = [hangs];
    await harness.executor.start();
    const stuck = await harness.approved({ ...CREATE, input: { sku: "stuck" } });
    await harness.reached(stuck.id, "executing");
    const next = await harness.approved({ ...CREATE, input: { sku: "other" } });
    expect((await harness.finished(next.id)).state).toBe("succeeded");
  });
});

describe("a process that died during a write", () => {
  const died = async (
    proposal: typeof CREATE | typeof TAG | typeof STATUS | typeof SEND,
    next: (harness: Harness) => void = () => {},
  ): Promise<{ harness: Harness; write: Write }> => {
    const harness = await createHarness();
    harness.service.script = [hangs];
    await harness.executor.start();
    const { id, state, digest } = await harness.propose(proposal);
    if (state === "proposed") await harness.writes.approve(id, digest, OPERATOR);
    await harness.reached(id, "executing");
    await harness.clock.settle();
    expect(sent(harness)).toBe(1);
    await harness.crash();
    next(harness);
    await harness.executor.start();
    return { harness, write: await harness.finished(id) };
  };

  it("leaves a write that is not idempotent unknown: it is not sent again", async () => {
    const { harness, write } = await died(CREATE);
    expect(write).toMatchObject({
      state: "unknown",
      attempts: 1,
      result: { error: { code: "interrupted" }, remedy: "Look for the item by its sku." },
    });
    await harness.clock.advance(10 * MINUTE_MS);
    expect(sent(harness)).toBe(1);
  });

  it("may have sent a write that was not marked as sent: it counts as one attempt", async () => {
    const harness = await createHarness();
    const { id } = await harness.approved(STATUS);
    harness.service.onRead = hangs;
    await harness.executor.start();
    await harness.reached(id, "executing");
    await harness.clock.settle();
    await harness.crash();
    harness.service.onRead = answers([{ order_status: "cancelled" }]);
    await harness.executor.start();
    expect(await harness.finished(id)).toMatchObject({ state: "unknown", attempts: 1 });
    expect(sent(harness)).toBe(0);
  });

  it("is followed by a check at the service, if possible", async () => {
    const found = await died(SEND, ({ service }) => {
      service.onRead = answers(["hi"]);
    });
    expect(found.write.state).toBe("succeeded");
    const missing = await died(SEND, ({ service }) => {
      service.onRead = answers([]);
    });
    expect(missing.write.state).toBe("unknown");
    expect([sent(found.harness), sent(missing.harness)]).toEqual([1, 1]);
  });

  it("is followed by the execution of an idempotent write", async () => {
    const { harness, write } = await died(TAG);
    expect(write).toMatchObject({ state: "succeeded", attempts: 2 });
    expect(sent(harness)).toBe(2);
  });

  it("is not followed by one whose precondition has changed since: perhaps by this very write", async () => {
    const { harness, write } = await died(STATUS, ({ service }) => {
      service.onRead = answers([{ order_status: "shipped" }]);
    });
    expect(write).toMatchObject({ state: "unknown", result: { error: { code: "interrupted" } } });
    expect(sent(harness)).toBe(1);
  });

  it("is not followed by one that the policy now denies, or whose operation is gone", async () => {
    for (const change of [
      (harness: Harness) => {
        harness.world.policy = policyOf({ "*": "deny" });
      },
      (harness: Harness) => {
        harness.world.operations = [];
      },
    ]) {
      const { harness, write } = await died(TAG, change);
      expect(write.state).toBe("unknown");
      expect(sent(harness)).toBe(1);
    }
  });

  it("before its claim leaves the write approved, for the next process", async () => {
    const harness = await createHarness();
    const { id } = await harness.approved();
    await harness.crash();
    await harness.executor.start();
    expect((await harness.finished(id)).state).toBe("succeeded");
    expect(sent(harness)).toBe(1);
  });
});

describe("a stop", () => {
  it("lets running writes finish within the grace period, and starts none", async () => {
    const harness = await createHarness();
    let answer = () => {};
    harness.service.script = [
      () =>
        new Promise((resolve) => {
          answer = () => resolve({ status: 200, headers: {}, body: "late" });
        }),
    ];
    await harness.executor.start();
    const { id } = await harness.approved();
    const later = await harness.approved({ ...CREATE, input: { sku: "TEA-1", note: "later" } });
    await harness.reached(id, "executing");
    await harness.clock.settle();
    const stopping = harness.executor.stop(3000);
    answer();
    await stopping;
    expect(await harness.writes.get(id)).toMatchObject({ state: "succeeded", result: { output: "late" } });
    expect((await harness.writes.get(later.id)).state).toBe("approved");
  });

  it("cuts off a write that does not end, and leaves it to the next start", async () => {
    const harness = await createHarness();
    let isCut = false;
    harness.service.script = [
      (request, signal) => {
        signal.addEventListener("abort", () => {
          isCut = true;
        });
        return hangs(request, signal);
      },
    ];
    await harness.executor.start();
    const { id } = await harness.approved();
    await harness.reached(id, "executing");
    await harness.clock.settle();
    const stopping = harness.executor.stop(3000);
    await harness.clock.advance(2999);
    expect(isCut).toBe(false);
    await harness.clock.advance(2000);
    await stopping;
    expect(isCut).toBe(true);
    expect((await harness.writes.get(id)).state).toBe("executing");
    await harness.crash();
    await harness.executor.start();
    expect((await harness.finished(id)).state).toBe("unknown");
    expect(sent(harness)).toBe(1);
  });

  it("a write that waits for its next attempt is sent as soon as its service is back, unless that asked to wait", async () => {
    const harness = await createHarness();
    const refused = fails("network", { code: "connection_refused", maybeSent: false });
    const wait = fails("status", { status: 503, retryAfterMs: 60_000, maybeSent: false });
    harness.service.otherwise = refused;
    await harness.executor.start();
    const { id } = await harness.approved(TAG);
    await harness.clock.advance(MINUTE_MS);
    const before = sent(harness);
    harness.executor.retryNow("messaging");
    await harness.clock.settle();
    expect(sent(harness)).toBe(before);
    harness.service.otherwise = wait;
    harness.executor.retryNow("nexus");
    await harness.clock.settle();
    expect(sent(harness)).toBe(before + 1);
    harness.executor.retryNow("nexus");
    await harness.clock.settle();
    expect(sent(harness)).toBe(before + 1);
    expect((await harness.writes.get(id)).state).toBe("executing");
  });

  it("reports a write that was never sent as not sent", async () => {
    const harness = await createHarness();
    harness.service.otherwise = fails("network", { maybeSent: false });
    await harness.executor.start();
    const { id } = await harness.approved();
    await harness.reached(id, "executing");
    await harness.clock.settle();
    await harness.executor.stop(3000);
    expect(await harness.writes.get(id)).toMatchObject({
      state: "failed",
      result: { error: { message: expect.stringContaining("Nothing was sent, nexusd was stopped") } },
    });
  });
});

describe("a database that accepts no commits", () => {
  const failing = (method: "claimNextWrite" | "transitionWrite" | "countWriteAttempt" | "whyNotApproved") => {
    const state = { isFull: false, failures: 0 };
    const wrap = (store: Store): Store =>
      new Proxy(store, {
        get(_, key) {
          if (key === method && state.isFull)
            return async () => {
              state.failures += 1;
              throw new StoreError("full", "the disk is full");
            };
          const member: unknown = Reflect.get(store, key);
          return typeof member === "function" ? member.bind(store) : member;
        },
      });
    return { state, wrap };
  };

  it("loses no result: it is stored once there is room, and nothing is sent again", async () => {
    const { state, wrap } = failing("transitionWrite");
    const harness = await createHarness({ wrap });
    await harness.executor.start();
    const { id, digest } = await harness.propose();
    await harness.writes.approve(id, digest, OPERATOR);
    state.isFull = true;
    await harness.clock.advance(10 * MINUTE_MS);
    expect((await harness.writes.get(id)).state).toBe("executing");
    expect(state.failures).toBeGreaterThan(10);
    state.isFull = false;
    await harness.clock.advance(MINUTE_MS);
    expect((await harness.writes.get(id)).state).toBe("succeeded");
    expect(sent(harness)).toBe(1);
  });

  it("fails no write whose approval cannot be read: it is sent once that is readable", async () => {
    const { state, wrap } = failing("whyNotApproved");
    const harness = await createHarness({ wrap });
    await harness.executor.start();
    const { id, digest } = await harness.propose();
    state.isFull = true;
    await harness.writes.approve(id, digest, OPERATOR);
    await harness.clock.advance(10 * MINUTE_MS);
    expect((await harness.writes.get(id)).result).toBeNull();
    expect(sent(harness)).toBe(0);
    state.isFull = false;
    await harness.clock.advance(MINUTE_MS);
    expect((await harness.writes.get(id)).state).toBe("succeeded");
    expect(sent(harness)).toBe(1);
  });

  it("makes approved writes wait", async () => {
    const { state, wrap } = failing("claimNextWrite");
    const harness = await createHarness({ wrap });
    state.isFull = true;
    await harness.executor.start();
    const { id } = await harness.approved();
    await harness.clock.advance(MINUTE_MS);
    expect([(await harness.writes.get(id)).state, sent(harness)]).toEqual(["approved", 0]);
    state.isFull = false;
    await harness.clock.advance(MINUTE_MS);
    expect((await harness.writes.get(id)).state).toBe("succeeded");
  });

  it("prevents a retry from being sent before it is counted", async () => {
    const { state, wrap } = failing("countWriteAttempt");
    const harness = await createHarness({ wrap });
    harness.service.script = [fails("timeout")];
    state.isFull = true;
    await harness.executor.start();
    const { id } = await harness.approved(TAG);
    await harness.clock.advance(MINUTE_MS);
    expect(sent(harness)).toBe(1);
    state.isFull = false;
    await harness.clock.advance(MINUTE_MS);
    expect(await harness.writes.get(id)).toMatchObject({ state: "succeeded", attempts: 2 });
  });
});

test("undecided proposals expire without any request", async () => {
  const harness = await createHarness();
  await harness.executor.start();
  const { id } = await harness.propose();
  await harness.clock.advance(3_600_000 + MINUTE_MS);
  expect((await harness.store.readWrite(id))?.state).toBe("expired");
});

test("an output that JSON cannot hold does not prevent the result from being stored", async () => {
  const { write } = await executed(CREATE, [answers(() => {})]);
  expect(write).toMatchObject({ state: "succeeded", result: {} });
});

test("log lines of writes name them by id and code, and contain nothing of their content", async () => {
  const { harness } = await executed({ ...CREATE, input: { sku: "PRIVATE-SKU" } }, [
    () => Promise.reject(httpError("status", { status: 400, code: "bad", body: { message: "PRIVATE-SKU" } })),
  ]);
  expect(harness.lines.map(({ msg }) => msg)).toEqual(["a write failed"]);
  expect(JSON.stringify(harness.lines)).not.toContain("PRIVATE");
});
