// Clients that send everything and shut down their writing side, as "nc -N" does.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { message, startTestControl } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";

/** Sends the request, shuts down the writing side, and collects the answer. */
function halfClosed(path: string, request: string) {
  const client: Socket = connect({ path, allowHalfOpen: true });
  onTestFinished(() => void client.destroy());
  let text = "";
  client.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  client.end(request);
  return { client, text: () => text, ended: once(client, "end") };
}

const requestOf = (path: string) => `GET ${path} HTTP/1.1\r\nhost: nexusd\r\n\r\n`;

test("a half-closed client gets its answer, and then the connection ends", async () => {
  const { sockets } = await startTestControl();
  const { text, ended } = halfClosed(sockets.agent, requestOf("/v1/health"));
  await ended;
  expect(text()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]+"status":"ok"/);
});

test("each of several requests that arrive before the end is answered", async () => {
  const { sockets } = await startTestControl();
  const { text, ended } = halfClosed(sockets.agent, requestOf("/v1/health").repeat(3));
  await ended;
  expect(text().match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
});

test("a proposal is stored and answered", async () => {
  const { sockets } = await startTestControl();
  const body = JSON.stringify({ operation: "nexus.orders.update_status", input: { orderId: "1" } });
  const head = `POST /v1/writes HTTP/1.1\r\nhost: nexusd\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const { text, ended } = halfClosed(sockets.agent, head + body);
  await ended;
  expect(text()).toMatch(/^HTTP\/1\.1 202 /);
});

test("a request cut off in the middle is answered with an error", async () => {
  const { sockets } = await startTestControl();
  const { text, ended } = halfClosed(sockets.agent, "GET /v1/health HTTP/1.1\r\nhost: nex");
  await ended;
  expect(text()).toMatch(/^HTTP\/1\.1 400 [\s\S]+"code":"invalid_request"/);
});

test("a long poll of a half-closed client waits, and returns new events", async () => {
  const clock = createFakeClock();
  const { sockets, append } = await startTestControl({ clock });
  const { text, ended } = halfClosed(sockets.agent, requestOf("/v1/events?wait=60s"));
  while (clock.pending() === 0) await clock.settle();
  expect(text()).toBe("");
  await append(message("s", { text: "awaited" }));
  await ended;
  expect(text()).toContain('"text":"awaited"');
});

test("a stream to a half-closed client goes on", async () => {
  const { sockets, append } = await startTestControl();
  const { client, text } = halfClosed(sockets.agent, requestOf("/v1/events/stream"));
  for (const word of ["first", "second"]) {
    await append(message("s", { text: word }));
    while (!text().includes(`"text":"${word}"`)) await once(client, "data");
  }
});

test.each(["/v1/events?wait=60s", "/v1/events/stream"])(
  "nothing waits for a half-closed client that has gone: %s",
  async (path) => {
    const clock = createFakeClock();
    const { sockets } = await startTestControl({ clock });
    const { client } = halfClosed(sockets.agent, requestOf(path));
    while (clock.pending() === 0) await clock.settle();
    client.destroy();
    await expect.poll(() => clock.settle().then(() => clock.pending())).toBe(0);
  },
);
