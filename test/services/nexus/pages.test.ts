import { expect, it } from "vitest";
import type { Row, RowReader } from "../../../src/services/nexus/client.ts";
import { orderWatch } from "../../../src/services/nexus/orders.ts";
import fc from "../../support/fc.ts";
import { follow, readShop, uuid } from "./shop.ts";

const MINUTE = 60_000;
const BEGIN = Date.UTC(2026, 10, 20, 12);
const settings = { status: "pending", overdue_after: 3 * MINUTE, columns: {} };

/** Before this request of the pass, this order gets this state; undefined: it is deleted. */
interface Change {
  request: number;
  order: number;
  status: string | undefined;
}
interface Round {
  minutes: number;
  changes: Change[];
  /** The request of the pass that fails. */
  fails: number | undefined;
  /** The commit of the pass that fails. */
  isFull: number | undefined;
}

const QUIET: Round = { minutes: 1, changes: [], fails: undefined, isFull: undefined };

const change: fc.Arbitrary<Change> = fc.record({
  request: fc.nat(3),
  order: fc.integer({ min: 1, max: 5 }),
  status: fc.constantFrom("pending", "pending", "confirmed", undefined),
});
const round: fc.Arbitrary<Round> = fc.record({
  minutes: fc.nat(3),
  changes: fc.array(change, { maxLength: 4 }),
  fails: fc.option(fc.nat(6), { nil: undefined, freq: 5 }),
  isFull: fc.option(fc.nat(3), { nil: undefined, freq: 5 }),
});

/** The reports of the passes over these rounds, the stored result, and how many rows they read. */
async function live(rounds: readonly Round[], remembersPages: boolean) {
  const orders = new Map<number, string>();
  let requests = 0;
  let parsed = 0;
  let commits = 0;
  let { changes, fails, isFull }: Omit<Round, "minutes"> = { ...QUIET };
  const shop = readShop({
    orders: () => [
      { id: uuid(0), order_status: "delivered" },
      ...[...orders].map(([n, order_status]): Row => ({ id: uuid(n), order_number: `#${n}`, order_status })),
    ],
  });
  const step = () => {
    for (const { order, status } of changes.filter(({ request }) => request === requests))
      if (status === undefined) orders.delete(order);
      else orders.set(order, status);
    if (requests++ === fails) throw new Error("cut");
  };
  const nexus: RowReader = {
    async read(...query) {
      step();
      return await shop.read(...query);
    },
    async readUnless(...query) {
      step();
      const page = await shop.readUnless(...query);
      parsed += page.rows?.length ?? 0;
      return page;
    },
  };
  const committing = () => {
    if (commits++ === isFull) throw new Error("disk full");
  };
  const { look, records } = follow(nexus, orderWatch, settings, { remembersPages, committing });
  const told: unknown[] = [];
  let now = BEGIN;
  for (const { minutes, ...one } of rounds) {
    ({ changes, fails, isFull } = one);
    requests = 0;
    commits = 0;
    now += minutes * MINUTE;
    // What a pass committed before it failed shows in the records.
    told.push(await look({ now, lastPassAt: now - MINUTE }).catch(() => [...records]));
  }
  return { told, records: [...records], parsed };
}

it("a watch that remembers pages reports the same as one that reads every row, whatever changes and fails", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { maxLength: 12 }), async (rounds) => {
      const [own, plain] = [await live(rounds, true), await live(rounds, false)];
      expect({ ...own, parsed: 0 }).toEqual({ ...plain, parsed: 0 });
      expect(own.parsed).toBeLessThanOrEqual(plain.parsed);
    }),
    { numRuns: 5000 },
  );
});

it("an unchanged page is neither parsed nor compared again, until one of its orders becomes overdue", async () => {
  const first = {
    ...QUIET,
    changes: [1, 2, 3, 4, 5].map((order) => ({ request: 0, order, status: "pending" })),
  };
  const parsedIn = async (passes: number) => {
    const rounds = Array.from({ length: passes }, (_, n) => (n === 0 ? first : QUIET));
    return (await live(rounds, true)).parsed;
  };
  expect([await parsedIn(1), await parsedIn(2), await parsedIn(3)]).toEqual([5, 5, 5]);
  // In the fourth minute all are overdue, and from then on none becomes so.
  expect([await parsedIn(4), await parsedIn(9)]).toEqual([10, 10]);
});

it("an order that was back on the second reading has advanced when the page returns without it", async () => {
  const to = (status: string, request: number) => ({ request, order: 1, status });
  const rounds = [[to("pending", 0)], [to("confirmed", 0), to("pending", 1)], [to("confirmed", 0)]];
  const { told, records } = await live(
    rounds.map((changes) => ({ ...QUIET, changes })),
    true,
  );
  expect(told).toMatchObject([
    [{ type: "nexus.order.pending" }],
    [],
    [{ type: "nexus.order.advanced", data: { orderStatus: "confirmed" } }],
  ]);
  expect(records).toEqual([]);
});
