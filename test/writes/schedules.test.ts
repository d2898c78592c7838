// After any sequence of events a write follows the state diagram and is on the wire at most once.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  TRANSITIONS,
  type Write,
  WriteError,
  type WriteState,
  type Writes,
} from "../../src/contract/writes.ts";
import fc from "../support/fc.ts";
import {
  AGENT,
  answers,
  type Behaviour,
  createHarness,
  fails,
  type Harness,
  hangs,
  OPERATOR,
} from "./harness.ts";

const RUNS = 40;
const SCHEDULES = 50;
const SLOTS = 2;

const OPERATIONS = {
  create: { operation: "nexus.items.create", isIdempotent: false },
  tag: { operation: "nexus.items.tag", isIdempotent: true },
  status: { operation: "nexus.orders.update_status", isIdempotent: true },
  // Approved by the policy, and read back.
  send: { operation: "messaging.messages.send", isIdempotent: false },
} as const;
type Kind = keyof typeof OPERATIONS;

const inputOf = (kind: Kind, name: string): unknown => {
  switch (kind) {
    case "status":
      return { orderId: name, status: "shipped" };
    case "send":
      return { session: "workshop", text: name };
    default:
      return { sku: name };
  }
};

/** What can happen to a request: whether it is sent, whether it takes effect, what the answer is. */
const BEHAVIOURS: Record<string, { isSent: boolean; hasEffect: boolean; answer: Behaviour }> = {
  ok: { isSent: true, hasEffect: true, answer: answers({ ok: true }) },
  doneUnheard: { isSent: true, hasEffect: true, answer: fails("timeout") },
  doneHung: { isSent: true, hasEffect: true, answer: hangs },
  lost: { isSent: true, hasEffect: false, answer: fails("network", { code: "connection_lost" }) },
  hung: { isSent: true, hasEffect: false, answer: hangs },
  broken: { isSent: true, hasEffect: false, answer: fails("status", { status: 500, code: "http_500" }) },
  refused: { isSent: true, hasEffect: false, answer: fails("status", { status: 409, retryable: false }) },
  unsent: { isSent: false, hasEffect: false, answer: fails("network", { maybeSent: false }) },
  notDone: { isSent: true, hasEffect: false, answer: answers("nothing done") },
};
type BehaviourName = keyof typeof BEHAVIOURS;

type Decision = "approve" | "mistaken" | "reject" | "cancel" | "show" | "resolve";

type Act =
  /** `copies` of the same proposal at once. */
  | { do: "propose"; slot: number; kind: Kind; copies: number }
  /** Proposes first if there is nothing to decide. */
  | { do: "decide"; slot: number; kind: Kind; decision: Decision }
  | { do: "pass"; ms: number }
  | { do: "behave"; next: BehaviourName[] }
  | { do: "crash"; isStarted: boolean }
  | { do: "stop" };

const slot = fc.nat({ max: SLOTS - 1 });
const kind = fc.constantFrom(...(Object.keys(OPERATIONS) as Kind[]));
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("propose"), slot, kind, copies: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("decide"),
      slot,
      kind,
      decision: fc.oneof(
        { weight: 6, arbitrary: fc.constant<Decision>("approve") },
        { weight: 2, arbitrary: fc.constant<Decision>("resolve") },
        { weight: 3, arbitrary: fc.constantFrom<Decision>("mistaken", "reject", "cancel", "show") },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("pass"),
      ms: fc.constantFrom(1, 1000, 1000, 30_000, 30_000, 30_000, 3_600_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("behave"),
      next: fc.array(fc.constantFrom("refused", "notDone", ...Object.keys(BEHAVIOURS)), {
        minLength: 1,
        maxLength: 3,
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash"), isStarted: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop") }) },
);
/** Acts, optionally without waiting for the answer. */
const schedule = fc.array(fc.record({ act, isHasty: fc.boolean() }), { minLength: 6, maxLength: 16 });

/** The requests that the service saw of each write, by the name in them. */
interface Seen {
  kind: Kind;
  sent: number;
  effects: number;
}

const createWorld = (harness: Harness) => {
  const seen = new Map<string, Seen>();
  let script: BehaviourName[] = [];
  const nameIn = (text: string) => /w\d+/.exec(text)?.[0] ?? expect.fail("a request of no write");

  harness.service.otherwise = (request, signal) => {
    const write = seen.get(nameIn(request.path + JSON.stringify(request.json ?? ""))) ?? expect.fail();
    const next = script.shift() ?? "ok";
    // Only one operation reads this answer correctly.
    const named = next === "notDone" && write.kind !== "create" ? "refused" : next;
    const behaviour = BEHAVIOURS[named] ?? expect.fail();
    if (behaviour.isSent) write.sent += 1;
    if (behaviour.hasEffect) write.effects += 1;
    return behaviour.answer(request, signal);
  };
  harness.service.onRead = (request, signal) => {
    const isReadBack = request.label === "read back";
    const texts = [...seen].filter(([, { effects }]) => effects > 0).map(([name]) => name);
    return answers(isReadBack ? texts : [{ order_status: "pending" }])(request, signal);
  };
  return {
    seen,
    behave: (next: BehaviourName[]) => {
      script = [...next];
    },
  };
};

const DECISIONS: Record<Decision, (writes: Writes, write: Write) => Promise<Write>> = {
  approve: (writes, { id, digest }) => writes.approve(id, digest, OPERATOR),
  mistaken: (writes, { id, digest }) => writes.approve(id, [...digest].reverse().join(""), OPERATOR),
  reject: (writes, { id }) => writes.reject(id, "no", OPERATOR),
  cancel: (writes, { id }) => writes.cancel(id, AGENT),
  show: (writes, { id }) => writes.show(id, OPERATOR),
  resolve: (writes, { id }) => writes.resolve(id, "failed", "looked", OPERATOR),
};

/** A slot's write: its name, and the write itself once the proposal was answered. */
interface Slot {
  name: string;
  kind: Kind;
  write?: Write;
}

async function play(
  harness: Harness,
  world: ReturnType<typeof createWorld>,
  acts: { act: Act; isHasty: boolean }[],
  newName: () => string,
): Promise<void> {
  const slots = new Map<number, Slot>();
  const defects: unknown[] = [];

  const propose = async ({ slot: at, kind, copies }: Extract<Act, { do: "propose" }>): Promise<Slot> => {
    const before = slots.get(at);
    // One whose answer was lost in a crash is proposed again, as the same write by its key.
    const entry: Slot = before && !before.write ? before : { name: newName(), kind };
    slots.set(at, entry);
    if (!world.seen.has(entry.name)) world.seen.set(entry.name, { kind: entry.kind, sent: 0, effects: 0 });
    const proposal = {
      operation: OPERATIONS[entry.kind].operation,
      input: inputOf(entry.kind, entry.name),
      idempotencyKey: entry.name,
    };
    const proposed = await Promise.all(
      Array.from({ length: copies }, () => harness.writes.propose(proposal, AGENT)),
    );
    expect(new Set(proposed.map(({ write }) => write.id)).size).toBe(1);
    const write = proposed[0]?.write;
    return Object.assign(entry, write && { write });
  };

  const perform = async (current: Act): Promise<unknown> => {
    switch (current.do) {
      case "propose":
        return propose(current);
      case "decide": {
        const [unknown] =
          current.decision === "resolve"
            ? await harness.store.readWrites({ states: ["unknown"], limit: 1 })
            : [];
        const { write } = slots.get(current.slot) ?? {};
        const known = unknown ?? (write && (await harness.store.readWrite(write.id)));
        const open =
          unknown || known?.state === "proposed"
            ? known
            : (await propose({ ...current, do: "propose", copies: 1 })).write;
        return open && DECISIONS[current.decision](harness.writes, open);
      }
      case "pass":
        return harness.clock.stall(current.ms);
      case "behave":
        return world.behave(current.next);
      case "crash":
        await harness.crash();
        if (current.isStarted) await harness.executor.start();
        return;
      case "stop": {
        const stopping = harness.executor.stop(1000);
        await harness.clock.stall(1000);
        await harness.clock.stall(1000);
        await stopping;
        await harness.crash();
        return harness.executor.start();
      }
    }
  };

  for (const { act: current, isHasty } of acts) {
    const done = perform(current).catch((error: unknown) => {
      if (!(error instanceof WriteError)) throw error;
    });
    // Calls lost in a crash are never answered, so nothing else is waited for.
    if (current.do === "crash" || current.do === "stop" || current.do === "pass") await done;
    else {
      done.catch((error: unknown) => defects.push(error));
      if (!isHasty) await harness.clock.settle();
    }
  }
  expect(defects).toEqual([]);
}

/** Everything is brought to an end: waiting writes are executed, hanging ones interrupted, doubtful ones looked up. */
async function finish(harness: Harness, world: ReturnType<typeof createWorld>): Promise<void> {
  world.behave([]);
  await harness.crash();
  await harness.executor.start();
  for (let round = 0; round < 100; round++) {
    await harness.clock.stall(20_000);
    const { approved, executing } = await harness.store.countWrites();
    if (approved + executing === 0) return;
  }
  expect.fail("a write does not come to its end");
}

const STEPS: ReadonlySet<string> = new Set(Object.keys(TRANSITIONS));

async function check(harness: Harness, seen: ReadonlyMap<string, Seen>): Promise<void> {
  const writes = await harness.store.readWrites({ limit: 10_000 });
  const { events } = await harness.store.readEvents({ after: 0, limit: 100_000, types: ["write.*"] });
  const told = Map.groupBy(
    events.map(({ json }) => JSON.parse(json).data),
    ({ writeId }) => writeId,
  );
  const rows = Map.groupBy(await harness.store.readAudit({ limit: 100_000 }), ({ writeId }) => writeId);
  expect(await harness.store.verifyAudit()).toMatchObject({ ok: true });
  expect(new Set(writes.map(({ request }) => request)).size).toBe(writes.length);

  for (const write of writes) {
    const states = (rows.get(write.id) ?? []).flatMap(({ action }) => (STEPS.has(action) ? [action] : []));
    const name = /w\d+/.exec(write.request)?.[0] ?? "";
    const { kind, sent, effects } = seen.get(name) ?? expect.fail();
    const about = `${write.operation} ${name}: ${states.join(" → ")}, sent ${sent}, effects ${effects}`;

    expect(states[0], about).toBe("proposed");
    for (const [index, state] of states.entries()) {
      const before = states[index - 1] as WriteState | undefined; // a row for a step has a state as its action
      if (before) expect(TRANSITIONS[before], about).toContain(state);
    }
    expect(states.at(-1), about).toBe(write.state);
    expect(
      (told.get(write.id) ?? []).map(({ state }) => state),
      about,
    ).toEqual(states);

    if (!OPERATIONS[kind].isIdempotent) expect(sent, about).toBeLessThanOrEqual(1);
    if (!states.includes("executing")) expect(sent, about).toBe(0);
    if (states.includes("executing")) expect(states, about).toContain("approved");
    if (write.state === "failed") expect(effects, about).toBe(0);
    if (write.state === "succeeded") expect(effects, about).toBeGreaterThan(0);
    if (kind === "send" && effects > 0) expect(write.state, about).toBe("succeeded");
    expect(write.attempts, about).toBeGreaterThanOrEqual(sent);
  }
}

test(`${RUNS * SCHEDULES} random schedules follow the state diagram, and send a write that is not idempotent at most once`, {
  timeout: 240_000,
}, async () => {
  // Durability is not tested here: a directory in memory spares the disk.
  const base = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const reached = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(schedule, { minLength: SCHEDULES, maxLength: SCHEDULES, size: "max" }),
      async (schedules) => {
        const dataDir = mkdtempSync(join(base, "nexusd-schedules-"));
        const harness = await createHarness({ dataDir });
        const world = createWorld(harness);
        try {
          let count = 0;
          // One after the other, so that each starts with what the previous one left.
          for (const acts of schedules) await play(harness, world, acts, () => `w${count++}`);
          await finish(harness, world);
          await check(harness, world.seen);
          for (const [state, writes] of Object.entries(await harness.store.countWrites()))
            reached.set(state, (reached.get(state) ?? 0) + writes);
        } finally {
          await harness.close();
          rmSync(dataDir, { recursive: true, force: true });
        }
      },
    ),
    // A counterexample is shrunk only while there is time.
    { numRuns: RUNS, interruptAfterTimeLimit: 200_000, markInterruptAsFailure: true },
  );
  // The schedules are useful only if they reach every state.
  for (const state of ["succeeded", "failed", "unknown", "rejected", "expired", "cancelled", "resolved"])
    expect(reached.get(state), state).toBeGreaterThan(20);
});
