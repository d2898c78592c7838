import { expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { numbered, openTestStore, settableClock } from "../support/store.ts";

const START = "2026-03-01T00:00:00.000Z";

const started = (): NewEvent => ({
  type: "daemon.started",
  source: "/test",
  data: { version: "1.0.0", pid: 1 },
});

test("pending is what the consumer wants and has not acknowledged, with counts by type, both ends and its age", async () => {
  const clock = settableClock(START);
  const store = await openTestStore({ clock });
  await store.putConsumer("all", "oldest");
  await store.putConsumer("some", "oldest", ["service.*"]);
  expect(await store.pending("all")).toEqual({
    ...{ count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} },
  });
  await store.commitObservation({ source: "s", events: [started(), numbered(1)] });
  clock.set("2026-03-01T00:00:10.000Z");
  await store.commitObservation({ source: "s", events: [numbered(2), started()] });
  expect(await store.pending("all")).toEqual({
    ...{ count: 4, isMore: false, oldest: 1, newest: 4, oldestAt: START },
    types: { "nexusd.daemon.started": 2, "nexusd.service.recovered": 2 },
  });
  expect(await store.pending("some")).toEqual({
    ...{ count: 2, isMore: false, oldest: 2, newest: 3, oldestAt: START },
    types: { "nexusd.service.recovered": 2 },
  });
  await store.ackConsumer("some", 3);
  expect(await store.pending("some")).toMatchObject({ count: 0, oldest: null });
  expect(await store.pending("nobody")).toBeUndefined();
});

test("pending counts up to a limit, says that there is more, and still knows the newest", async () => {
  const store = await openTestStore();
  await store.putConsumer("all", "oldest");
  await store.putConsumer("some", "oldest", ["service.*", "daemon.*"]);
  const events = Array.from({ length: 30 }, (_, n) => (n % 3 === 0 ? started() : numbered(n)));
  await store.commitObservation({ source: "s", events });
  const counted = {
    ...{ count: 10, isMore: true, oldest: 1, newest: 30 },
    types: { "nexusd.daemon.started": 4, "nexusd.service.recovered": 6 },
  };
  expect(await store.pending("all", 10)).toMatchObject(counted);
  expect(await store.pending("some", 10)).toMatchObject(counted);
  expect(await store.pending("all", 30)).toMatchObject({ count: 30, isMore: false });
});

test("pending leaves out what retention removed", async () => {
  const store = await openTestStore();
  await store.putConsumer("all", "oldest");
  await store.commitObservation({ source: "s", events: [1, 2, 3].map((n) => numbered(n)) });
  await store.pruneEvents({ keep: 1 });
  expect(await store.pending("all")).toMatchObject({ count: 1, oldest: 3, newest: 3 });
  await store.pruneEvents({ keep: 0 });
  expect(await store.pending("all")).toMatchObject({ count: 0, oldest: null, newest: null });
});

test("pending costs no more in a log a hundred times as long", async () => {
  const store = await openTestStore();
  await store.putConsumer("some", "oldest", ["daemon.*", "service.*"]);
  await store.putConsumer("all", "oldest");
  const grow = async (count: number) => {
    const events = Array.from({ length: count }, (_, n) => (n % 2 ? numbered(n) : started()));
    await store.commitObservation({ source: "s", events });
  };
  const cost = async () => {
    const tries: number[] = [];
    for (let n = 0; n < 15; n++) {
      const begun = performance.now();
      await store.pending("some", 100);
      await store.pending("all", 100);
      tries.push(performance.now() - begun);
    }
    return Math.min(...tries);
  };
  await grow(500);
  const short = await cost();
  for (let n = 0; n < 10; n++) await grow(5000);
  expect(await cost()).toBeLessThan(short * 5 + 1);
});

test("a listener is told of every move of a consumer, and of nothing else", async () => {
  const store = await openTestStore();
  const heard: [string, number][] = [];
  const stop = store.onAcknowledge((...words) => heard.push(words));
  await store.commitObservation({ source: "s", events: [numbered(1), numbered(2)] });
  await store.putConsumer("a", "oldest");
  await store.ackConsumer("a", 2);
  await store.ackConsumer("a", 1);
  await store.ackConsumer("nobody", 1);
  await store.putConsumer("a", 1, undefined, undefined, { proof: "none" });
  await store.deleteConsumer("nobody");
  await store.deleteConsumer("a");
  expect(heard).toEqual([
    ["a", 0],
    ["a", 2],
    ["a", 1],
    ["a", 0],
  ]);
  stop();
  await store.putConsumer("b", "oldest");
  expect(heard).toHaveLength(4);
});

test("a refused move of a bound consumer calls no listener", async () => {
  const store = await openTestStore();
  await store.commitObservation({ source: "s", events: [numbered(1)] });
  await store.putConsumer("a", "oldest", undefined, undefined, { bindTo: "hash" });
  const heard: unknown[] = [];
  store.onAcknowledge((...words) => heard.push(words));
  expect(await store.ackConsumer("a", 1, { proof: "other" })).toBe("bound");
  expect(await store.putConsumer("a", "latest", undefined, undefined, { proof: "other" })).toBe("bound");
  expect(await store.deleteConsumer("a", { proof: "other" })).toBe("bound");
  expect(heard).toEqual([]);
});
