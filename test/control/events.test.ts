// Reading the log: pages, filters and the long poll at its end.

import { describe, expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { type CallOptions, message, recovered, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import fc from "../support/fc.ts";

test("a misspelt type is refused with the nearest one, in a query and for a consumer", async () => {
  const { get, call, state, store } = await startTestControl();
  const message = expect.stringContaining("did you mean nexusd.nexus.order.pending");
  const refused = await get("/v1/events?type=messaging.*,nexus.orders.pending");
  expect([refused.status, refused.json.code]).toEqual([400, "invalid_request"]);
  expect(refused.json.errors).toEqual([{ path: "type[1]", message }]);
  expect((await get("/v1/events/stream?type=nexus.orders.pending")).json.errors).toEqual([
    { path: "type[0]", message },
  ]);
  const body = { from: "latest", types: ["nexus.orders.pending"] };
  const consumer = await call("PUT", "/v1/consumers/mine", { body });
  expect(consumer.json.errors).toEqual([{ path: "types[0]", message }]);
  // Types of a user's own jobs: declared, or already in the log.
  const statusOf = async (type: string) => (await get(`/v1/events?type=${type}`)).status;
  expect(await statusOf("shop.report.made")).toBe(400);
  state.ownEventTypes = ["shop.report.made"];
  expect([await statusOf("shop.report.made"), await statusOf("shop.*")]).toEqual([200, 200]);
  expect(await statusOf("library.book.lent")).toBe(400);
  const lent = { type: "library.book.lent", source: "/library", data: {} } as unknown as NewEvent; // a job's
  await store.commitObservation({ source: "library", events: [lent] });
  expect(await statusOf("library.*")).toBe(200);
});

describe("pages", () => {
  test("begin with the oldest event after the position and say where to continue", async () => {
    const { append, get, store } = await startTestControl();
    await append(message(), message(), recovered());
    const { status, json } = await get("/v1/events?after=1&limit=1");
    expect(status).toBe(200);
    expect(json).toMatchObject({ epoch: store.epoch, next: 2, oldest: 1, latest: 3, gap: null });
    expect(json.events).toMatchObject([
      { specversion: "1.0", sequence: "2", type: "nexusd.messaging.message.received" },
    ]);
  });

  test.each(["", "&type=messaging.*"])(
    "end early if the events are long, and the next page continues (%s)",
    async (filter) => {
      const { append, get } = await startTestControl();
      const names = Array.from({ length: 12 }, (_, n) => `session-${n}`);
      await append(...names.map((name) => message(name, { text: "x".repeat(500_000) })), recovered());
      const met: string[] = [];
      for (let after = 0; after < 13; ) {
        const { text, json } = await get(`/v1/events?limit=1000&after=${after}${filter}`);
        // 2 MiB and the event that reached them.
        expect(text.length).toBeLessThan(2 ** 21 + 600_000);
        met.push(
          ...json.events.map(({ data }: { data: { sessionId?: string } }) => data.sessionId ?? "other"),
        );
        expect(json.next).toBeGreaterThan(after);
        after = json.next;
      }
      expect(met).toEqual(filter === "" ? [...names, "other"] : names);
    },
  );

  test("an empty log is an empty page, not an error", async () => {
    const { get } = await startTestControl();
    expect((await get("/v1/events")).json).toMatchObject({
      events: [],
      next: 0,
      oldest: 1,
      latest: 0,
      gap: null,
    });
  });

  test("a filter takes patterns, comma-separated and repeated, and never renumbers", async () => {
    const { append, get } = await startTestControl();
    await append(message(), recovered(), message());
    const sequences = async (query: string) =>
      (await get(`/v1/events?${query}`)).json.events.map((event: { sequence: string }) => event.sequence);
    expect(await sequences("type=messaging.*")).toEqual(["1", "3"]);
    expect(await sequences("type=nexusd.service.recovered")).toEqual(["2"]);
    expect(await sequences("type=service.*,messaging.message.received")).toEqual(["1", "2", "3"]);
    expect(await sequences("type=service.*&type=messaging.*")).toEqual(["1", "2", "3"]);
    expect(await sequences("type=nex.*")).toEqual([]);
  });

  test("integers above 2^53 are served digit for digit", async () => {
    const { append, get } = await startTestControl();
    await append(message("session-1", { json: { id: 12345678901234567890n } }));
    expect((await get("/v1/events")).text).toContain('"id":12345678901234567890');
  });

  test("removed events are reported as a gap, once", async () => {
    const { append, get, store } = await startTestControl();
    await append(message(), message(), message());
    await store.pruneEvents({ keep: 1 });
    const { json } = await get("/v1/events?after=1");
    expect(json).toMatchObject({ gap: { from: 2, to: 2 }, oldest: 3, next: 3 });
    expect((await get("/v1/events?after=2")).json.gap).toBeNull();
  });

  test("a position beyond the log is refused, even with wait", async () => {
    const { append, get } = await startTestControl();
    await append(message());
    for (const query of ["after=2", "after=2&wait=60s", "after=2&type=nex.*"])
      expect((await get(`/v1/events?${query}`)).json).toMatchObject({ status: 409, code: "cursor_ahead" });
    expect((await get("/v1/events?after=1")).status).toBe(200);
  });

  test("a position in another log is refused before anything is read", async () => {
    const { get, store } = await startTestControl();
    expect((await get("/v1/events?epoch=other&after=7")).json).toMatchObject({
      status: 409,
      code: "epoch_changed",
    });
    expect((await get(`/v1/events?epoch=${store.epoch}`)).status).toBe(200);
  });

  test.each([
    ["limit=0", "limit"],
    ["limit=1001", "limit"],
    ["limit=1e2", "limit"],
    ["limit=1&limit=2", "limit"],
    ["after=-1", "after"],
    ["after=1.5", "after"],
    ["after=", "after"],
    ["after=99999999999999999999", "after"],
    ["wait=61s", "wait"],
    ["wait=30", "wait"],
    ["type=", "type[0]"],
    ["type=messaging.*,DROP TABLE", "type[1]"],
    ["colour=red", "colour"],
  ])("%s is refused with the path of the error", async (query, path) => {
    const { get } = await startTestControl();
    const { status, json } = await get(`/v1/events?${encodeURI(query)}`);
    expect(status).toBe(400);
    expect(json).toMatchObject({ code: "invalid_request", errors: [{ path }] });
  });

  test("whatever the limits and filters, following `next` returns every event exactly once", async () => {
    const { append, get } = await startTestControl();
    const kinds = { "messaging.*": () => message(), "service.*": () => recovered() };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...Object.values(kinds)), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
        fc.option(fc.constantFrom(...Object.keys(kinds)), { nil: undefined }),
        async (batch, limits, type) => {
          if (batch.length > 0) await append(...batch.map((make) => make()));
          const all = (await get("/v1/events?limit=1000")).json;
          const wanted = all.events.filter(
            (event: { type: string }) => !type || event.type.startsWith(`nexusd.${type.slice(0, -1)}`),
          );
          const met: unknown[] = [];
          let after = 0;
          for (let turn = 0; after < all.latest; turn++) {
            const filter = type ? `&type=${type}` : "";
            const page = (
              await get(`/v1/events?after=${after}&limit=${limits[turn % limits.length]}${filter}`)
            ).json;
            expect(page.next).toBeGreaterThan(after);
            met.push(...page.events);
            after = page.next;
          }
          expect(met).toEqual(wanted);
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("a long poll", () => {
  test("answers as soon as a matching event is committed", async () => {
    const clock = createFakeClock();
    const { append, get } = await startTestControl({ clock });
    await append(message());
    const poll = get("/v1/events?after=1&type=service.*&wait=60s");
    while (clock.pending() === 0) await clock.settle();
    await append(message());
    await append(recovered());
    expect((await poll).json).toMatchObject({ events: [{ sequence: "3" }], next: 3 });
  });

  test("answers at once if there is already an event", async () => {
    const { append, get } = await startTestControl({ clock: createFakeClock() });
    await append(message());
    expect((await get("/v1/events?wait=60s")).json.events).toHaveLength(1);
  });

  test("is empty at its deadline, and moves past what did not match", async () => {
    const clock = createFakeClock();
    const { append, get } = await startTestControl({ clock });
    const poll = get("/v1/events?type=service.*&wait=30s");
    await append(message());
    while (clock.pending() === 0) await clock.settle();
    await clock.advance(30_000);
    expect((await poll).json).toMatchObject({ events: [], next: 1, latest: 1 });
  });

  test("answers at once when the daemon stops", async () => {
    const clock = createFakeClock();
    const { get, stop } = await startTestControl({ clock });
    const poll = get("/v1/events?wait=60s");
    while (clock.pending() === 0) await clock.settle();
    stop.abort();
    expect((await poll).json).toMatchObject({ events: [], next: 0 });
  });

  test("reports removed events without waiting for new ones", async () => {
    const { append, get, store } = await startTestControl({ clock: createFakeClock() });
    await append(message());
    await store.pruneEvents({ keep: 0 });
    expect((await get("/v1/events?wait=60s")).json).toMatchObject({
      events: [],
      gap: { from: 1, to: 1 },
      next: 1,
    });
  });

  test("leaves nothing behind when its client goes away", async () => {
    const clock = createFakeClock();
    const { get } = await startTestControl({ clock });
    const gone = new AbortController();
    const options: CallOptions = { signal: gone.signal };
    const polls = Promise.allSettled(Array.from({ length: 20 }, () => get("/v1/events?wait=60s", options)));
    while (clock.pending() < 20) await clock.settle();
    gone.abort();
    await polls;
    while (clock.pending() > 0) await clock.settle();
    expect(clock.pending()).toBe(0);
  });

  test("the maximum number of polls are all answered by one commit, and one more is refused with that number", async () => {
    const clock = createFakeClock();
    const { append, get } = await startTestControl({ clock });
    const polls = Array.from({ length: 128 }, () => get("/v1/events?wait=60s", { role: "agent" }));
    while (clock.pending() < 128) await clock.settle();
    const refused = await get("/v1/events?wait=60s", { role: "agent" });
    expect(refused).toMatchObject({ status: 429, json: { code: "too_many_long_polls" } });
    expect(refused.json.detail).toContain('128 requests with "wait" are open on agent.sock');
    expect(refused.headers["retry-after"]).toBe("5");
    // An operator has reserved places.
    polls.push(get("/v1/events?wait=60s", { role: "operator" }));
    while (clock.pending() < 129) await clock.settle();
    await append(message());
    for (const { json } of await Promise.all(polls)) expect(json.next).toBe(1);
    expect(clock.pending()).toBe(0);
  });
});
