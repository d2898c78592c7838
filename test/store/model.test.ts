import { expect, test } from "vitest";
import { expandTypes } from "../../src/contract/event-patterns.ts";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { Observation, Store } from "../../src/contract/store.ts";
import { runs } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { openStore } from "../support/open-store.ts";
import { settableClock, temporaryDirectory } from "../support/store.ts";

const SOURCES = ["/x", "/y"];
const PATTERNS = ["*", "service.*", "job.*", "job.recovered", "nex.*"];

interface Draft {
  source: string;
  type: "service.recovered" | "job.recovered";
  match: string[];
  record: string[];
}

type Step =
  | { do: "commit"; group: { cursor: number; drafts: Draft[]; isBroken: boolean }[] }
  | { do: "prune"; keep: number }
  | { do: "pruneBefore"; daysAgo: number }
  | { do: "restart" }
  | { do: "sleep"; days: number };

const key = fc.constantFrom("k1", "k2", "k3", "k4", "k5", "k6");
const draft: fc.Arbitrary<Draft> = fc.record({
  source: fc.constantFrom(...SOURCES),
  type: fc.constantFrom("service.recovered", "job.recovered"),
  match: fc.oneof(
    { weight: 2, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.array(key, { maxLength: 2 }) },
  ),
  record: fc.array(key, { maxLength: 2 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("commit" as const),
      group: fc.array(
        fc.record({
          cursor: fc.nat({ max: 3 }),
          drafts: fc.array(draft, { maxLength: 4 }),
          isBroken: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("prune" as const), keep: fc.nat({ max: 10 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("pruneBefore" as const), daysAgo: fc.nat({ max: 5 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("sleep" as const), days: fc.integer({ min: 1, max: 3 }) }),
  },
);

/** The store as one would write it down: arrays and sets. */
const createModel = () => {
  let events: { sequence: number; type: string; source: string; committed: number }[] = [];
  let latest = 0;
  const keys = new Set<string>();
  return {
    cursor: undefined as number | undefined,
    commit(cursor: number, drafts: Draft[], committed: number): { appended: number[]; duplicates: number } {
      const appended: number[] = [];
      for (const { source, type, match, record } of drafts) {
        const isRepeated = match.some((name) => keys.has(name));
        for (const name of record) keys.add(name);
        if (isRepeated) continue;
        events.push({ sequence: ++latest, type: `nexusd.${type}`, source, committed });
        appended.push(latest);
      }
      this.cursor = cursor;
      return { appended, duplicates: drafts.length - appended.length };
    },
    prune(isUnwanted: (event: { sequence: number; committed: number }, latest: number) => boolean): number {
      const kept = events.findIndex((event) => !isUnwanted(event, latest));
      const removed = kept === -1 ? events.length : kept;
      events = events.slice(removed);
      return removed;
    },
    page(after: number, limit: number, types: string[], source: string | undefined) {
      const oldest = events[0]?.sequence ?? latest + 1;
      const found = events
        .filter((event) => event.sequence > after && expandTypes(types, [event.type]).length > 0)
        .filter((event) => source === undefined || event.source === source)
        .map(({ sequence }) => sequence)
        .slice(0, limit);
      return {
        sequences: found,
        next: found.length === limit ? found.at(-1) : latest,
        oldest,
        latest,
        gap: after + 1 < oldest ? { from: after + 1, to: oldest - 1 } : null,
      };
    },
    latest: () => latest,
  };
};

const observation = (cursor: number, drafts: Draft[], isBroken: boolean): Observation => ({
  source: "cursor",
  cursor,
  events: drafts.map(toEvent),
  secrets: isBroken ? [JSON.parse('{"value": "nameless"}')] : [],
});

const toEvent = ({ source, type, match, record }: Draft): NewEvent => ({
  ...(type === "job.recovered"
    ? { type, data: { job: "j", failures: 0 } }
    : { type, data: { service: "nex", state: "ok" } }),
  source,
  dedupe: { scope: "scope", match, record },
});

test("after any sequence of operations the log equals a simple list", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const dataDir = temporaryDirectory();
      const clock = settableClock("2026-01-01T00:00:00Z");
      let store = await openStore({ dataDir, clock });
      const model = createModel();
      try {
        for (const current of steps) {
          if (current.do === "restart") {
            await store.close();
            store = await openStore({ dataDir, clock });
          } else await take(current, store, model, clock);
          await compare(store, model);
        }
      } finally {
        await store.close();
      }
    }),
    runs(40),
  );
});

const DAY_MS = 86_400_000;

const take = async (
  current: Exclude<Step, { do: "restart" }>,
  store: Store,
  model: ReturnType<typeof createModel>,
  clock: ReturnType<typeof settableClock>,
): Promise<void> => {
  switch (current.do) {
    case "sleep":
      clock.set(new Date(clock.now() + current.days * DAY_MS).toISOString());
      return;
    case "prune": {
      const { removed } = await store.pruneEvents({ keep: current.keep });
      expect(removed).toBe(model.prune(({ sequence }, latest) => sequence <= latest - current.keep));
      return;
    }
    case "pruneBefore": {
      const before = clock.now() - current.daysAgo * DAY_MS;
      const { removed } = await store.pruneEvents({ before: new Date(before).toISOString() });
      expect(removed).toBe(model.prune(({ committed }) => committed < before));
      return;
    }
    case "commit": {
      const settled = await Promise.allSettled(
        current.group.map(({ cursor, drafts, isBroken }) =>
          store.commitObservation(observation(cursor, drafts, isBroken)),
        ),
      );
      for (const [index, { cursor, drafts, isBroken }] of current.group.entries()) {
        const result = settled[index];
        if (isBroken) expect(result?.status).toBe("rejected");
        else {
          const { appended, duplicates } = model.commit(cursor, drafts, clock.now());
          expect(result).toMatchObject({
            status: "fulfilled",
            value: { appended: appended.map((sequence) => ({ sequence })), duplicates },
          });
        }
      }
      return;
    }
  }
};

const compare = async (store: Store, model: ReturnType<typeof createModel>): Promise<void> => {
  const middle = Math.floor(model.latest() / 2);
  for (const pattern of PATTERNS)
    for (const source of [undefined, ...SOURCES])
      for (const [after, limit] of [
        [0, 1000],
        [middle, 2],
      ] as const) {
        const { events, ...rest } = await store.readEvents({
          after,
          limit,
          types: [pattern],
          ...(source === undefined ? {} : { source }),
        });
        expect({ sequences: events.map(({ sequence }) => sequence), ...rest }).toEqual(
          model.page(after, limit, [pattern], source),
        );
      }
  expect((await store.readCursor("cursor"))?.value).toBe(model.cursor);
};
