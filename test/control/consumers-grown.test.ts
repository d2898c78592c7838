// Consumers that are created once, report what is pending for them, and are acknowledged in order.

import { expect, test } from "vitest";
import { message, recovered, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

type Started = Awaited<ReturnType<typeof startTestControl>>;

const put = ({ call }: Started, body: object, headers: Record<string, string> = {}) =>
  call("PUT", "/v1/consumers/planner", { body, headers, role: "agent" });
const ack = ({ call }: Started, sequence: number) =>
  call("POST", "/v1/consumers/planner/ack", { body: { sequence }, role: "agent" });

test("If-None-Match: * creates a consumer once, and leaves an existing one where it is", async () => {
  const control = await startTestControl();
  await control.append(message(), message());
  const onlyNew = { "if-none-match": "*" };
  expect(await put(control, { from: 1 }, onlyNew)).toMatchObject({ status: 201, json: { position: 1 } });
  const before = (await control.get("/v1/consumers")).json;
  expect(await put(control, { from: "latest", types: ["messaging.*"] }, onlyNew)).toMatchObject({
    status: 412,
    json: { code: "consumer_exists", detail: 'The consumer "planner" already exists. It was not changed.' },
  });
  expect((await control.get("/v1/consumers")).json).toEqual(before);
  expect(await put(control, { from: "latest" })).toMatchObject({ status: 200, json: { position: 2 } });
});

test("of many requests that create the same consumer at once, one succeeds", async () => {
  const control = await startTestControl();
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => put(control, { from: "oldest", bind: true }, { "if-none-match": "*" })),
  );
  const made = answers.filter(({ status }) => status === 201);
  expect(made).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 412)).toHaveLength(7);
  const token = made[0]?.json.token;
  expect(await control.call("DELETE", "/v1/consumers/planner", { role: "agent" })).toMatchObject({
    status: 403,
  });
  expect(
    await control.call("DELETE", "/v1/consumers/planner", {
      role: "agent",
      headers: { "nexusd-token": token },
    }),
  ).toMatchObject({ status: 204 });
});

test.each(['"abc"', "", "W/*", '*, "abc"'])(
  "If-None-Match: %j is not a condition here",
  async (condition) => {
    const control = await startTestControl();
    expect(await put(control, { from: "latest" }, { "if-none-match": condition })).toMatchObject({
      status: 400,
      json: { code: "invalid_request", errors: [{ path: "If-None-Match", message: 'must be "*"' }] },
    });
    expect((await control.get("/v1/consumers")).json.consumers).toEqual([]);
  },
);

test("a single consumer is shown with what is pending for it", async () => {
  const control = await startTestControl();
  await control.append(message(), recovered(), message());
  await put(control, { from: 1, types: ["messaging.*"] });
  expect((await control.get("/v1/consumers/planner")).json).toMatchObject({
    ...{ name: "planner", position: 1, types: ["messaging.*"], isBound: false },
    pending: {
      ...{ count: 1, isMore: false, oldest: 3, newest: 3 },
      types: { "nexusd.messaging.message.received": 1 },
    },
  });
  await ack(control, 3);
  expect((await control.get("/v1/consumers/planner")).json.pending).toEqual({
    ...{ count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} },
  });
  expect(await control.get("/v1/consumers/nobody")).toMatchObject({
    status: 404,
    json: { code: "consumer_not_found" },
  });
});

test("with wait it is shown as soon as something that it wants is pending", async () => {
  const clock = createFakeClock();
  const control = await startTestControl({ clock });
  await put(control, { from: "latest", types: ["service.*"] });
  const waiting = control.get("/v1/consumers/planner?wait=60s");
  while (clock.pending() === 0) await clock.settle();
  await control.append(message());
  await control.append(recovered());
  expect((await waiting).json.pending).toMatchObject({ count: 1, oldest: 2 });
  await ack(control, 2);
  const inVain = control.get("/v1/consumers/planner?wait=60s");
  while (clock.pending() === 0) await clock.settle();
  await clock.advance(60_000);
  expect((await inVain).json.pending).toMatchObject({ count: 0 });
});

test("with after it waits for events newer than those already pending", async () => {
  const clock = createFakeClock();
  const control = await startTestControl({ clock });
  await put(control, { from: "latest" });
  await control.append(message());
  const waiting = control.get("/v1/consumers/planner?wait=60s&after=1");
  while (clock.pending() === 0) await clock.settle();
  await control.append(message());
  expect((await waiting).json.pending).toMatchObject({ count: 2, oldest: 1, newest: 2 });
});

test("a gap alone is not pending: the wait goes on", async () => {
  const clock = createFakeClock();
  const control = await startTestControl({ clock });
  await control.append(message());
  await put(control, { from: "oldest" });
  await control.store.pruneEvents({ keep: 0 });
  const waiting = control.get("/v1/consumers/planner?wait=60s");
  while (clock.pending() === 0) await clock.settle();
  await control.append(message());
  expect((await waiting).json.pending).toMatchObject({ count: 1, oldest: 2 });
});

test("an event that was never delivered cannot be acknowledged: a number in a notice is not an event", async () => {
  const control = await startTestControl();
  await put(control, { from: "oldest" });
  await control.append(message(), message());
  const { json } = await control.get("/v1/consumers/planner/events");
  await control.append(message());
  expect(await ack(control, 3)).toMatchObject({
    status: 409,
    json: {
      code: "ack_out_of_order",
      detail:
        'The consumer "planner" was given events up to 2, so 3 was never served: read on before you acknowledge it. To skip events, reset the consumer with PUT /v1/consumers/planner.',
    },
  });
  expect((await control.get("/v1/consumers/planner")).json.position).toBe(0);
  expect(await ack(control, json.next)).toMatchObject({ status: 200, json: { position: 2 } });
  // Sent again, as after a lost answer, and one that came late.
  expect(await ack(control, 2)).toMatchObject({ status: 200, json: { position: 2 } });
  expect(await ack(control, 1)).toMatchObject({ status: 200, json: { position: 2 } });
});

test("a reader of the log or its stream can acknowledge what it read there", async () => {
  const control = await startTestControl();
  await put(control, { from: "oldest" });
  await control.append(message());
  await control.get("/v1/consumers/planner/events");
  await control.append(message());
  expect(await ack(control, 2)).toMatchObject({ status: 409 });
  await control.get("/v1/events?after=1");
  expect(await ack(control, 2)).toMatchObject({ status: 200, json: { position: 2 } });
  await control.append(message());
  const stream = await control.stream("/v1/events/stream?after=2");
  await stream.until(() => stream.ids().includes(3));
  expect(await ack(control, 3)).toMatchObject({ status: 200, json: { position: 3 } });
});

test("a consumer not read since the start can acknowledge what is in the log", async () => {
  const control = await startTestControl();
  await control.append(message(), message());
  await put(control, { from: "oldest" });
  expect(await ack(control, 2)).toMatchObject({ status: 200, json: { position: 2 } });
});

test("a consumer that is reset starts over", async () => {
  const control = await startTestControl();
  await put(control, { from: "oldest" });
  await control.append(message());
  await control.get("/v1/consumers/planner/events");
  await control.append(message());
  await put(control, { from: "oldest" });
  expect(await ack(control, 2)).toMatchObject({ status: 200 });
});

test("the list shows what is pending for each consumer only on request", async () => {
  const control = await startTestControl();
  const place = (name: string, body: object) =>
    control.call("PUT", `/v1/consumers/${name}`, { body, role: "agent" });
  await place("all", { from: "oldest" });
  await place("service", { from: "oldest", types: ["service.*"] });
  await control.append(message(), recovered());
  await place("done", { from: "latest" });
  const { consumers, next } = (await control.get("/v1/consumers?pending=true&limit=2")).json;
  expect(consumers).toMatchObject([
    { name: "all", pending: { count: 2, isMore: false, oldest: 1, newest: 2 } },
    { name: "done", pending: { count: 0, oldest: null } },
  ]);
  expect((await control.get(`/v1/consumers?pending=true&after=${next}`)).json.consumers).toMatchObject([
    { name: "service", pending: { count: 1, types: { "nexusd.service.recovered": 1 } } },
  ]);
  const plain = (await control.get("/v1/consumers")).json.consumers;
  expect(plain.filter((one: object) => "pending" in one)).toEqual([]);
  expect(await control.get("/v1/consumers?pending=perhaps")).toMatchObject({ status: 400 });
});
