// What the page's server passes on to the daemon, and how that ends.

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { message, OWN_USER, startTestControl, temporaryDirectory } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startTestPage } from "../support/page.ts";

const OPERATOR = { via: "operator.sock", door: "operator.sock", user: null, signer: null } as const;

/** A stand-in for the daemon, where a test must see or send what the real one would not. */
async function standIn(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const socketPath = join(await temporaryDirectory(), "operator.sock");
  const server = createServer(answer);
  server.listen(socketPath);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return socketPath;
}

const closed = (stream: IncomingMessage) =>
  new Promise<void>((resolve) => stream.on("error", () => {}).on("close", () => resolve()));

async function openedPage(socketPath: string, options?: Parameters<typeof startTestPage>[1]) {
  const page = await startTestPage(socketPath, options);
  await page.open();
  return page;
}

it("reveals nothing of the browser to the daemon, and only the answer to the browser", async () => {
  let seen: IncomingMessage["headers"] = {};
  const socketPath = await standIn((request, response) => {
    seen = request.headers;
    response.setHeader("set-cookie", "evil=1");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("nexusd-epoch", "E");
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  const page = await openedPage(socketPath);
  const headers = {
    referer: `${page.origin}/`,
    "user-agent": "x",
    "nexusd-token": "t",
    "x-forwarded-for": "1",
  };
  const answer = await page.ask("/v1/writes/w1/approve", { method: "POST", headers, body: "{}" });
  expect(Object.keys(seen).sort()).toEqual(["connection", "content-length", "content-type", "host"]);
  expect(seen.host).toBe("nexusd");
  expect(answer.headers["nexusd-epoch"]).toBe("E");
  expect(answer.headers["set-cookie"]).toBeUndefined();
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
});

it("passes the daemon's own refusal to the page", async () => {
  const control = await startTestControl();
  const page = await openedPage(control.sockets.operator);
  const answer = await page.ask("/v1/writes?limit=nonsense");
  expect([answer.status, answer.json.code]).toEqual([400, "invalid_request"]);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
});

it("decides as the operator", async () => {
  const control = await startTestControl();
  const page = await openedPage(control.sockets.operator);
  const { id, digest } = (
    await control.writes.propose({ operation: "nexus.orders.update_status", input: {} }, OPERATOR)
  ).write;
  const body = JSON.stringify({ digest });
  const answer = await page.ask(`/v1/writes/${id}/approve`, { method: "POST", body });
  expect([answer.status, answer.json.state]).toEqual([200, "approved"]);
  expect(answer.json.decidedBy).toMatchObject({
    via: "operator.sock",
    door: "operator.sock",
    user: OWN_USER,
  });
});

it("refuses a body above 1 MiB, with or without a declared length", async () => {
  const control = await startTestControl();
  const page = await openedPage(control.sockets.operator);
  const body = JSON.stringify({ digest: "a".repeat(64), note: "x".repeat(2 ** 20) });
  const path = "/v1/writes/w1/approve";
  expect((await page.ask(path, { method: "POST", body })).json.code).toBe("body_too_large");
  const headers = { "transfer-encoding": "chunked" };
  expect((await page.ask(path, { method: "POST", body, headers })).json.code).toBe("body_too_large");
});

it("streams events as they arrive", async () => {
  const control = await startTestControl();
  await control.append(message());
  const page = await openedPage(control.sockets.operator);
  const response = await page.begin("/v1/events/stream?after=0");
  expect(response.headers["content-type"]).toContain("text/event-stream");
  let text = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  response.on("error", () => {});
  await expect.poll(() => text).toContain("id: 1\n");
  await control.append(message());
  await expect.poll(() => text).toContain("id: 2\n");
  response.destroy();
});

it("closes the daemon's side when the browser disconnects", async () => {
  const gone = Promise.withResolvers<void>();
  const socketPath = await standIn((_request, response) => {
    response.on("close", gone.resolve);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": here\n\n");
  });
  const page = await openedPage(socketPath);
  const response = await page.begin("/v1/events/stream");
  response.on("error", () => {});
  await once(response, "data");
  response.destroy();
  await gone.promise;
});

it("closes the daemon's side when the browser stops reading", async () => {
  const gone = Promise.withResolvers<void>();
  const socketPath = await standIn((_request, response) => {
    response.on("close", gone.resolve);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const fill = () => {
      while (!response.destroyed && response.write(`: ${"x".repeat(65_536)}\n\n`));
    };
    response.on("drain", fill);
    fill();
  });
  const page = await openedPage(socketPath, { unreadMs: 300 });
  const response = await page.begin("/v1/events/stream");
  response.on("error", () => {});
  response.pause();
  await gone.promise;
  response.destroy();
});

it("reports that the daemon is away, and continues when it is back", async () => {
  const directory = await temporaryDirectory();
  const first = await startTestControl({ socketDirectory: directory });
  const page = await openedPage(first.sockets.operator);
  const stream = await page.begin("/v1/events/stream?after=0");
  const cut = closed(stream);
  stream.resume();
  await first.control.close();
  await cut;
  const answer = await page.ask("/v1/status");
  expect([answer.status, answer.json.code]).toEqual([503, "no_daemon"]);
  expect(answer.headers["content-type"]).toContain("application/problem+json");
  await startTestControl({ socketDirectory: directory });
  expect((await page.ask("/v1/status")).status).toBe(200);
});

it("reports that the daemon closed the connection", async () => {
  const socketPath = await standIn((request) => request.socket.destroy());
  const page = await openedPage(socketPath);
  const answer = await page.ask("/v1/status");
  expect([answer.status, answer.json.code]).toEqual([502, "daemon_failed"]);
});

it("shows the browser a partial answer as cut, never as complete", async () => {
  const socketPath = await standIn((_request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": "100" });
    response.write("{");
    setTimeout(() => response.destroy(), 20);
  });
  const page = await openedPage(socketPath);
  await expect(page.ask("/v1/status")).rejects.toThrow();
});

it("ends at once, even with open streams", async () => {
  const control = await startTestControl();
  const page = await openedPage(control.sockets.operator);
  const stream = await page.begin("/v1/events/stream?after=0");
  const cut = closed(stream);
  page.stop.abort();
  expect(await page.ended).toBe("stopped");
  await cut;
  await expect(page.ask("/v1/status")).rejects.toThrow();
});

it("ends after no browser had it open for a while, and not before", async () => {
  const clock = createFakeClock();
  const control = await startTestControl();
  const page = await openedPage(control.sockets.operator, { clock, idleMs: 60_000 });
  let why: string | undefined;
  void page.ended.then((ended) => {
    why = ended;
  });
  await clock.advance(59_000);
  const stream = await page.begin("/v1/events/stream?after=0");
  await clock.advance(600_000);
  expect((await page.ask("/v1/status")).status).toBe(200);
  // A refused request keeps nothing alive.
  await page.ask("/v1/status", { isStranger: true });
  stream.on("error", () => {}).destroy();
  await expect.poll(() => clock.pending()).toBe(1);
  await clock.advance(59_000);
  expect(why).toBeUndefined();
  await page.ask("/v1/status", { isStranger: true });
  await clock.advance(1000);
  expect(await page.ended).toBe("idle");
});
