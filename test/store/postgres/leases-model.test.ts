// Leases against a model, under random calls on three nodes: at most one node commits under a resource at a time, tokens
// only grow, and nothing of a refused commit stays.

import { expect, test } from "vitest";
import { type Store, StoreError } from "../../../src/contract/store.ts";
import { runs } from "../../support/adapters.ts";
import fc from "../../support/fc.ts";
import { numbered } from "../../support/store.ts";
import { connectTo, newSchema, openPostgres } from "./harness.ts";

const NODES = ["a", "b", "c"];
const RESOURCES = ["x", "y"];

interface Work {
  node: number;
  resource: string;
  /** Whether the model takes its lease for valid. */
  isValid: boolean;
  commit(n: number): Promise<"done" | "fenced">;
  end(): Promise<void>;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("take" as const), node: fc.nat(2), on: fc.nat(1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("commit" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rob" as const), node: fc.nat(2) }) },
);

test("at most one holder of a resource commits, its token only grows, and a late commit leaves nothing", async () => {
  const schema = newSchema();
  const superuser = await connectTo("public");
  const stores: Store[] = [];
  for (const node of NODES) stores.push(await openPostgres({ schema, node }));
  await superuser.query(`SET search_path TO "${schema}"`);
  let n = 0;

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const works: Work[] = [];
      const tokens = new Map<string, number>();
      const expected: number[] = [];
      const { latest: from } = await (stores[0] as Store).readEvents({ after: 0, limit: 0 });
      const holderOf = (resource: string) =>
        works.find((work) => work.resource === resource && work.isValid)?.node;

      for (const one of steps) {
        if (one.kind === "take") {
          const resource = RESOURCES[one.on] ?? "";
          const holder = holderOf(resource);
          const work = await begin(stores[one.node] as Store, one.node, resource);
          // The others see it at once that it was released, since that is committed when the work has ended.
          expect(work !== undefined).toBe(holder === undefined || holder === one.node);
          if (!work) continue;
          works.push(work);
          const { rows } = await superuser.query<{ token: string }>(
            "SELECT token FROM leases WHERE resource = $1",
            [resource],
          );
          const token = Number(rows[0]?.token);
          const before = tokens.get(resource) ?? 0;
          if (holder === undefined) expect(token).toBeGreaterThan(before);
          else expect(token).toBe(before);
          tokens.set(resource, token);
        } else if (one.kind === "rob") {
          // As the other nodes do with one that they have not heard of.
          await superuser.query(
            "DELETE FROM leases WHERE holder = (SELECT incarnation FROM nodes WHERE name = $1)",
            [NODES[one.node]],
          );
          for (const work of works) {
            if (work.node !== one.node || !work.isValid) continue;
            work.isValid = false;
            n += 1;
            expect(await work.commit(n)).toBe("fenced");
          }
        } else {
          const work = works[one.which % Math.max(1, works.length)];
          if (!work) continue;
          if (one.kind === "commit") {
            n += 1;
            expect(await work.commit(n)).toBe(work.isValid ? "done" : "fenced");
            if (work.isValid) expected.push(n);
          } else {
            works.splice(works.indexOf(work), 1);
            await work.end();
            await settled(stores[work.node] as Store);
          }
        }
      }
      for (const work of works) await work.end();
      for (const store of stores) await settled(store);
      const page = await (stores[1] as Store).readEvents({ after: from, limit: 1000 });
      expect(page.events.map(({ json }) => Number(JSON.parse(json).data.state))).toEqual(expected);
      expect(page.events.map(({ sequence }) => sequence)).toEqual(expected.map((_, at) => from + at + 1));
      await superuser.query("DELETE FROM leases");
    }),
    runs(480),
  );
}, 240_000);

/** A commit of a node's own comes after what it released before. */
const settled = (store: Store) => store.probe();

async function begin(store: Store, node: number, resource: string): Promise<Work | undefined> {
  const begun = Promise.withResolvers<Work | undefined>();
  const ended = Promise.withResolvers<void>();
  let call = (_n: number): Promise<"done" | "fenced"> => Promise.reject(new Error("not begun"));
  const isOver = store.fleet
    .tryHold(resource, async () => {
      const asked = Promise.withResolvers<void>();
      const queue: { n: number; settle(outcome: "done" | "fenced"): void; fail(error: unknown): void }[] = [];
      let wake = asked.resolve;
      call = (n) =>
        new Promise((settle, fail) => {
          queue.push({ n, settle, fail });
          wake();
        });
      begun.resolve({ node, resource, isValid: true, commit: (n) => call(n), end });
      let isEnded = false;
      const whenEnded = ended.promise.then(() => {
        isEnded = true;
      });
      let next: Promise<void> = asked.promise;
      while (!isEnded) {
        await Promise.race([next, whenEnded]);
        const again = Promise.withResolvers<void>();
        next = again.promise;
        wake = again.resolve;
        for (const { n, settle, fail } of queue.splice(0))
          await store.commitObservation({ source: "s", events: [numbered(n)] }).then(
            () => settle("done"),
            (error: unknown) =>
              error instanceof StoreError && error.code === "fenced" ? settle("fenced") : fail(error),
          );
      }
    })
    .then(
      (result) => result === undefined && begun.resolve(undefined),
      (error: unknown) => begun.reject(error),
    );
  async function end(): Promise<void> {
    ended.resolve();
    await isOver;
  }
  return begun.promise;
}
