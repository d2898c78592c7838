// The memory of insights: everything that was ever received, found by what is known of it.

import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import type { SearchQuery, Store } from "../../src/contract/store.ts";
import { migrate, readMigrations } from "../../src/store/sqlite/migrate.ts";
import { runs, testSqlite } from "../support/adapters.ts";
import fc from "../support/fc.ts";
import { numbered, openTestStore, settableClock, temporaryDirectory } from "../support/store.ts";

const START = "2026-03-01T00:00:00.000Z";

const event = (insight: unknown, time?: string): NewEvent => ({
  type: "nex.insight.received",
  source: "/nex/insights",
  ...(time === undefined ? {} : { time }),
  data: { insight, workspace: null, origin: "live" },
});
const insight = (content: string, type?: string, time?: string) =>
  event({ ...(type === undefined ? {} : { type }), content }, time);

const commit = (store: Store, ...events: NewEvent[]) => store.commitObservation({ source: "test", events });
const contents = async (store: Store, query: Partial<SearchQuery> = {}) =>
  (await store.searchEvents({ limit: 100, ...query })).map(({ data }) => JSON.parse(data).insight.content);

test("insights are read newest first by their own time, filtered by type and by time", async () => {
  const store = await openTestStore({ clock: settableClock(START) });
  await commit(
    store,
    insight("1", "risk", "2026-02-01T10:00:00Z"),
    insight("2", "goal", "2026-02-03T10:00:00.000Z"),
    numbered(3),
    insight("4", "risk", "2026-02-02T10:00:00Z"), // came late
    insight("5", undefined, "2026-02-02T10:00:00Z"),
    insight("6", "risk", "2026-02-04T11:00:00+01:00"),
  );
  const found = async (query: Partial<SearchQuery>) => (await contents(store, query)).join("");
  expect(await found({})).toBe("62541");
  expect(await found({ limit: 2 })).toBe("62");
  expect(await found({ type: "risk" })).toBe("641");
  expect(await found({ limit: 1, type: "risk" })).toBe("6");
  expect(await found({ type: "milestone" })).toBe("");
  expect(await found({ since: "2026-02-02T10:00:00Z" })).toBe("6254");
  expect(await found({ type: "risk", since: "2026-02-02T11:00:00+01:00" })).toBe("64");
  expect(await found({ until: "2026-02-02T10:00:00Z" })).toBe("541");
  expect(await found({ since: "2026-02-02T10:00:00Z", until: "2026-02-03T09:00:00Z" })).toBe("54");
});

test("an insight is indexed exactly when its event is in the log, once", async () => {
  const store = await openTestStore();
  const dedupe = { scope: "nex.insights", match: ["a"], record: ["a"] };
  await commit(store, { ...insight("one"), dedupe }, { ...insight("one"), dedupe });
  await commit(store, { ...insight("one"), dedupe });
  expect(await store.searchEvents({ limit: 10 })).toMatchObject([{ sequence: 1 }]);
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  await expect(commit(store, insight("two"), event(circular))).rejects.toThrow(TypeError);
  expect(await contents(store)).toEqual(["one"]);
});

test("retention removes the event and keeps the insight, across a restart too", async () => {
  const dataDir = temporaryDirectory();
  const store = await openTestStore({ dataDir });
  await commit(store, insight("kept budget"), numbered(1));
  await store.pruneEvents({ keep: 0 });
  expect((await store.readEvents({ after: 0, limit: 10 })).events).toEqual([]);
  expect(await contents(store, { text: "budget" })).toEqual(["kept budget"]);
  await store.close();
  expect(await contents(await openTestStore({ dataDir }), { text: "budget" })).toEqual(["kept budget"]);
});

testSqlite("insights logged before there was an index are indexed at the start, once", async () => {
  const dataDir = temporaryDirectory();
  const db = new Database(join(dataDir, "nexusd.db"));
  migrate(db, readMigrations().slice(0, 2));
  const add = db.prepare("INSERT INTO events (id, source, type, time, data) VALUES (?, ?, ?, ?, ?)");
  for (const [n, type] of ["nexusd.nex.insight.received", "nexusd.nex.stream.opened"].entries())
    add.run(
      ...[`01J0000000000000000000000${n}`, "/nex/insights", type, START],
      '{"insight":{"content":"old offer","id":48066188026052611},"workspace":null,"origin":"live"}',
    );
  db.close();
  for (let start = 0; start < 2; start++) {
    const store = await openTestStore({ dataDir });
    const found = await store.searchEvents({ limit: 10, text: "offer" });
    expect(found).toMatchObject([{ sequence: 1, time: START }]);
    expect(found[0]?.data).toContain("48066188026052611");
    await store.close();
  }
});

test("an insight nested deeper than SQLite's JSON allows is stored like any other", async () => {
  const store = await openTestStore();
  let nested: unknown = "deep";
  for (let n = 0; n < 1500; n++) nested = [nested];
  await commit(store, event({ type: "risk", nested }));
  expect((await store.searchEvents({ type: "risk", limit: 1 }))[0]?.data).toContain('"deep"');
});

test("more insights in one millisecond than there are keys for it are all kept, in order", async () => {
  const store = await openTestStore({ clock: settableClock(START) });
  const numbers = Array.from({ length: 1500 }, (_, n) => n);
  await commit(store, ...numbers.map((n) => insight(String(n))));
  await commit(store, insight("later", undefined, "2026-03-01T00:00:00.001Z"));
  const found = await contents(store, { limit: 2000 });
  expect(found).toHaveLength(1501);
  expect(found.filter((content) => content !== "later")).toEqual(numbers.toReversed().map(String));
});

test.each(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "+275760-09-13T00:00:00.000Z"])(
  "a time as odd as %s is kept like any other",
  async (time) => {
    const store = await openTestStore();
    await commit(store, insight("odd", "risk", time), insight("odd too", "risk", time));
    expect(await contents(store, { type: "risk" })).toEqual(["odd too", "odd"]);
  },
);

describe("words", () => {
  const jane = {
    ...{
      type: "risk",
      content: "Budget-approval für Zürich slips: R&D at ACME's, naïve 📦 plan",
      confidence: 0.9,
    },
    target: { entity_type: "person", hint: "Jane O'Neill", signals: [{ value: "jane@acme.example" }] },
    evidence: [{ excerpt: "we cannot sign", artifact: { subject: "RE: Renewal" } }],
  };
  const john = {
    type: "goal",
    content: "预算审批下个季度",
    entities: [{ name: "John Smith", type: "company" }],
  };
  const filled = async () => {
    const store = await openTestStore();
    await commit(store, event(jane), event(john), event(null), event("text"), event([1]));
    return store;
  };

  test.each<[Partial<SearchQuery>, "jane" | "john" | "both" | "none"]>([
    [{ text: "budget" }, "jane"],
    [{ text: "APPROV" }, "jane"],
    [{ text: "budget-approval" }, "jane"],
    [{ text: "slips budget" }, "jane"],
    [{ text: "proval" }, "none"],
    [{ text: "budget nonsense" }, "none"],
    [{ text: "zurich" }, "jane"],
    [{ text: "R&D" }, "jane"],
    [{ text: "renewal sign" }, "jane"],
    [{ text: "ACME's" }, "jane"],
    [{ text: "acme.example" }, "jane"],
    [{ text: "- budget -" }, "jane"],
    [{ text: "预算" }, "john"],
    [{ text: "审批" }, "john"],
    [{ text: "批审" }, "none"],
    [{ text: "smith" }, "john"],
    [{ target: "jane" }, "jane"],
    [{ target: "jane@acme.example" }, "jane"],
    [{ target: "o'neill" }, "jane"],
    [{ target: "company smith" }, "john"],
    [{ target: "budget" }, "none"],
    [{ text: "budget", target: "jane" }, "jane"],
    [{ text: "budget", target: "john" }, "none"],
    [{ text: "j", type: "goal" }, "john"],
    [{ target: "j", minConfidence: 0.9 }, "jane"],
    [{ target: "j", minConfidence: 0.91 }, "none"],
    [{ minConfidence: 0 }, "jane"],
    [{ target: "j" }, "both"],
    ...[
      '"',
      "*",
      "AND",
      "NEAR(a b)",
      "target:x",
      "-budget",
      "^",
      "(",
      "{zz}:",
      "\0",
      "!!",
      "budget OR smith",
    ].map((text): [Partial<SearchQuery>, "jane" | "none"] => [
      { text },
      text === "-budget" ? "jane" : "none",
    ]),
  ])("%j finds %s", async (query, who) => {
    const expected = { jane: [jane], john: [john], both: [john, jane], none: [] }[who];
    expect(await contents(await filled(), query)).toEqual(expected.map(({ content }) => content));
  });

  test("no search text causes an error, whatever it holds", async () => {
    const store = await filled();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" })),
        async (text) => {
          await commit(store, event({ content: text, target: { hint: text } }));
          await store.searchEvents({ limit: 1, text, target: text });
        },
      ),
      runs(300),
    );
  });
});

test("any combination of filters finds what a scan of all insights finds", async () => {
  const store = await openTestStore({ clock: settableClock(START) });
  const people = ["Jane Doe", "John Smith", "Jan Berg"];
  const made = Array.from({ length: 300 }, (_, n) => ({
    type: ["risk", "goal", "milestone"][n % 3],
    content: `${["budget", "offer", "delivery"][n % 5] ?? "renewal"} number${n}`,
    ...(n % 4 ? { confidence: (n % 10) / 10 } : {}),
    target: { hint: people[n % people.length] },
    at: new Date(Date.parse(START) + ((n * 37) % 300) * 1000).toISOString(),
  }));
  await commit(store, ...made.map(({ at, ...one }) => event(one, at)));
  const time = fc
    .integer({ min: -5, max: 305 })
    .map((s) => new Date(Date.parse(START) + s * 1000).toISOString());
  const begins = (text: string, words: string) =>
    words.split(" ").every((word) =>
      text
        .toLowerCase()
        .split(" ")
        .some((other) => other.startsWith(word)),
    );
  const queries = fc.record(
    {
      type: fc.constantFrom("risk", "goal", "none"),
      target: fc.constantFrom("jane", "ja", "smith john", "nobody"),
      text: fc.constantFrom("budget", "offer number1", "ren", "doe", "number29"),
      minConfidence: fc.constantFrom(0, 0.5, 0.9, 1),
      ...{ since: time, until: time },
      limit: fc.integer({ min: 1, max: 400 }),
    },
    { requiredKeys: ["limit"] },
  );
  await fc.assert(
    fc.asyncProperty(queries, async (query) => {
      const expected = made
        .filter((one) => query.type === undefined || one.type === query.type)
        .filter((one) => query.target === undefined || begins(one.target.hint ?? "", query.target))
        .filter((one) => query.text === undefined || begins(`${one.content} ${one.target.hint}`, query.text))
        .filter((one) => query.minConfidence === undefined || (one.confidence ?? -1) >= query.minConfidence)
        .filter((one) => (query.since ?? "") <= one.at && one.at <= (query.until ?? "9"))
        .map((one, index) => ({ ...one, index }))
        .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.index - a.index))
        .slice(0, query.limit);
      expect(await contents(store, query)).toEqual(expected.map(({ content }) => content));
    }),
    runs(300),
  );
});
