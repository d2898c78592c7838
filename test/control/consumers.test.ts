// Consumers: positions that outlive their readers, and the edge cases of the log.

import { expect, test } from "vitest";
import { message, recovered, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

type Started = Awaited<ReturnType<typeof startTestControl>>;

const place = ({ call }: Started, body: object, name = "planner") =>
  call("PUT", `/v1/consumers/${name}`, { body, role: "agent" });
const ack = ({ call }: Started, sequence: unknown, name = "planner") =>
  call("POST", `/v1/consumers/${name}/ack`, { body: { sequence }, role: "agent" });
const sequences = async ({ get }: Started, query = "") =>
  (await get(`/v1/consumers/planner/events${query}`)).json.events.map((event: { sequence: string }) =>
    Number(event.sequence),
  );

test("is created with 201, reset with 200, and listed", async () => {
  const control = await startTestControl();
  await control.append(message(), message());
  const created = await place(control, { from: "latest" });
  expect(created).toMatchObject({ status: 201, json: { name: "planner", position: 2, types: null } });
  expect(await place(control, { from: 1, types: ["messaging.*"] })).toMatchObject({
    status: 200,
    json: { position: 1, types: ["messaging.*"], createdAt: created.json.createdAt },
  });
  expect((await place(control, { from: "oldest" }, "other")).json).toMatchObject({ position: 0 });
  expect((await control.get("/v1/consumers")).json.consumers).toMatchObject([
    { name: "other" },
    { name: "planner" },
  ]);
});

test("serves unacknowledged events again and again, and acknowledged ones never", async () => {
  const control = await startTestControl();
  await control.append(message(), message(), message());
  await place(control, { from: "oldest" });
  expect(await sequences(control, "?limit=2")).toEqual([1, 2]);
  expect(await sequences(control, "?limit=2")).toEqual([1, 2]);
  expect(await ack(control, 2)).toMatchObject({ status: 200, json: { position: 2 } });
  expect(await sequences(control)).toEqual([3]);
});

test("is never moved backwards by an acknowledgement", async () => {
  const control = await startTestControl();
  await control.append(message(), message());
  await place(control, { from: "latest" });
  expect(await ack(control, 1)).toMatchObject({ status: 200, json: { position: 2 } });
});

test("accepts the sequence as the event carries it, even as a string", async () => {
  const control = await startTestControl();
  await control.append(message());
  await place(control, { from: "oldest" });
  expect((await ack(control, "1")).json).toMatchObject({ position: 1 });
});

test("sees only the types it was created for", async () => {
  const control = await startTestControl();
  await place(control, { from: "oldest", types: ["service.*"] });
  await control.append(message(), recovered(), message());
  const { json } = await control.get("/v1/consumers/planner/events");
  expect(json).toMatchObject({ events: [{ sequence: "2" }], next: 3, latest: 3, gap: null });
});

test.each([".", ".."])("cannot be named %j, which no URL can address", async (name) => {
  const control = await startTestControl();
  expect(await place(control, { from: "latest" }, name)).toMatchObject({
    status: 400,
    json: { code: "invalid_request", errors: [{ path: "name" }] },
  });
  expect((await place(control, { from: "latest" }, "...")).status).toBe(201);
});

test.each([
  [{ from: -1 }, 'from must be "oldest", "latest" or the last sequence already known'],
  [{ from: "x" }, 'from must be "oldest", "latest" or the last sequence already known'],
  [{ from: "latest", types: [] }, "types must be an array of 1 to 100 event types"],
  [{ from: "latest", types: "nexus.*" }, "types must be an array of 1 to 100 event types"],
  [{ from: "latest", types: [5] }, /^types\[0\] must be an event type such as /],
  [{ from: "latest", types: ["x".repeat(129)] }, "types[0] must have at most 128 characters"],
  [[], "body must be an object"],
])("says in plain words what is wrong with %j", async (body, detail) => {
  const control = await startTestControl();
  const { status, json } = await place(control, body);
  expect(status).toBe(400);
  expect(json.detail).toEqual(typeof detail === "string" ? detail : expect.stringMatching(detail));
});

test("waits for the next event as the log does", async () => {
  const clock = createFakeClock();
  const control = await startTestControl({ clock });
  await place(control, { from: "latest", types: ["service.*"] });
  const waiting = sequences(control, "?wait=60s");
  while (clock.pending() === 0) await clock.settle();
  await control.append(message());
  await control.append(recovered());
  expect(await waiting).toEqual([2]);
});

test("cannot be ahead of the log", async () => {
  const control = await startTestControl();
  await control.append(message());
  expect((await place(control, { from: 2 })).json).toMatchObject({ status: 409, code: "cursor_ahead" });
  await place(control, { from: 1 });
  expect((await ack(control, 2)).json).toMatchObject({ status: 409, code: "cursor_ahead" });
});

test("is gone after DELETE, and every request for it is 404", async () => {
  const control = await startTestControl();
  await place(control, { from: "oldest" });
  expect(await control.call("DELETE", "/v1/consumers/planner")).toMatchObject({ status: 204, text: "" });
  const answers = [
    await control.call("DELETE", "/v1/consumers/planner"),
    await control.get("/v1/consumers/planner/events"),
    await ack(control, 0),
  ];
  for (const { json } of answers) expect(json).toMatchObject({ status: 404, code: "consumer_not_found" });
});

test.each([
  ["planner", {}, "from"],
  ["planner", { from: "middle" }, "from"],
  ["planner", { from: -1 }, "from"],
  ["planner", { from: "oldest", types: [] }, "types"],
  ["planner", { from: "oldest", types: ["messaging.*", "*.received"] }, "types[1]"],
  ["planner", { from: "oldest", type: "messaging.*" }, "type"],
  ["planner", "oldest", "body"],
  ["plan%20ner", { from: "oldest" }, "name"],
  ["x".repeat(65), { from: "oldest" }, "name"],
])("PUT %s with %j is refused with the path of the error", async (name, body, path) => {
  const { call } = await startTestControl();
  const { json } = await call("PUT", `/v1/consumers/${name}`, { body });
  expect(json).toMatchObject({ status: 400, code: "invalid_request", errors: [{ path }] });
});

test("gets a gap for events that retention removed before it read them, until it is acknowledged", async () => {
  const control = await startTestControl();
  await control.append(message(), message(), recovered(), message());
  await place(control, { from: 1, types: ["messaging.*"] });
  await control.store.pruneEvents({ keep: 1 });
  const read = async (query = "") => (await control.get(`/v1/consumers/planner/events${query}`)).json;
  const missed = { gap: { from: 2, to: 3 }, oldest: 4, events: [{ sequence: "4" }], next: 4 };
  expect(await read()).toMatchObject(missed);
  expect(await read("?wait=60s")).toMatchObject(missed);
  await ack(control, 4);
  expect((await read()).gap).toBeNull();
});

test("gets a gap, at once, if retention removed everything that it had not read", async () => {
  const control = await startTestControl();
  await control.append(message(), message());
  await place(control, { from: "oldest" });
  await control.store.pruneEvents({ keep: 0 });
  const { json } = await control.get("/v1/consumers/planner/events?wait=60s");
  expect(json).toMatchObject({ gap: { from: 1, to: 2 }, events: [], next: 2 });
});
