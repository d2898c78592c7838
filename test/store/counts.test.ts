import { expect, test } from "vitest";
import type { NewEvent } from "../../src/contract/new-event.ts";
import { numbered, openTestStore } from "../support/store.ts";

const started: NewEvent = { type: "daemon.started", source: "/test", data: { version: "1.0.0", pid: 1 } };

test("events of a part of the log are counted, of all types or of some, without its start", async () => {
  const store = await openTestStore();
  await store.commitObservation({
    source: "s",
    events: [numbered(1), started, numbered(2), started, started],
  });
  expect(await store.countEvents({ after: 0, upTo: 5 })).toBe(5);
  expect(await store.countEvents({ after: 1, upTo: 4 })).toBe(3);
  expect(await store.countEvents({ after: 1, upTo: 5, types: ["daemon.*"] })).toBe(3);
  expect(await store.countEvents({ after: 0, upTo: 4, types: ["daemon.started", "service.*"] })).toBe(4);
  expect(await store.countEvents({ after: 0, upTo: 9, types: ["nex.*"] })).toBe(0);
  expect(await store.countEvents({ after: 5, upTo: 5 })).toBe(0);
});

test("changing a consumer's types keeps its position and calls no listener", async () => {
  const store = await openTestStore();
  await store.commitObservation({ source: "s", events: [numbered(1), started] });
  await store.putConsumer("a", 1, ["service.*"]);
  let moves = 0;
  store.onAcknowledge(() => {
    moves += 1;
  });
  expect(await store.setConsumerTypes("a", ["daemon.*"])).toMatchObject({ position: 1, types: ["daemon.*"] });
  expect(await store.pending("a")).toMatchObject({ count: 1, oldest: 2 });
  expect(await store.setConsumerTypes("a", null)).toMatchObject({ position: 1, types: null });
  expect(await store.setConsumerTypes("nobody", null)).toBeUndefined();
  expect(moves).toBe(0);
});
