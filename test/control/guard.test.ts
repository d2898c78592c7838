// Requests refused before they are processed, and the errors that every route shares.

import { once } from "node:events";
import { connect } from "node:net";
import { beforeAll, describe, expect, test } from "vitest";
import { startTestControl, type TestControl } from "../support/control.ts";

/** Sends raw bytes. @returns everything that is answered until the connection ends */
async function sendBytes(path: string, bytes: string): Promise<string> {
  const socket = connect(path);
  let answer = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    answer += chunk;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

// No test here changes what it reads: one daemon for all of it.
let shared: TestControl;
beforeAll(async () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  shared = await startTestControl({ cleanup: (work) => cleanups.unshift(work) });
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

describe("a request that may come from a web page", () => {
  test.each([
    [{ origin: "https://example.com" }],
    [{ origin: "null" }],
    [{ origin: "http://localhost" }],
    [{ referer: "http://localhost/" }],
    [{ host: "example.com" }],
    [{ host: "nexusd.example.com" }],
    [{ host: "localhost.example.com" }],
    [{ host: "127.0.0.1" }],
    [{ host: "localhost:80:80" }],
  ])("%j is refused", async (headers) => {
    const { get } = shared;
    const { status, json } = await get("/v1/health", { headers });
    expect(status).toBe(403);
    expect(json).toMatchObject({ code: "forbidden_origin" });
  });

  test.each(["nexusd", "localhost", "LocalHost", "localhost:8080", "nexusd:80"])(
    "host %s is accepted",
    async (host) => {
      const { get } = shared;
      expect((await get("/v1/health", { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    ["no host, HTTP/1.0", "GET /v1/health HTTP/1.0\r\n\r\n"],
    ["no host, HTTP/1.1", "GET /v1/health HTTP/1.1\r\nconnection: close\r\n\r\n"],
    ["an empty host", "GET /v1/health HTTP/1.1\r\nhost: \r\nconnection: close\r\n\r\n"],
    [
      "a second host",
      "GET /v1/health HTTP/1.1\r\nhost: nexusd\r\nhost: example.com\r\nconnection: close\r\n\r\n",
    ],
    ["an unknown path", "GET /nowhere HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n"],
    ["a path that is no path", "GET /%zz HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n"],
  ])("%s is refused", async (_what, bytes) => {
    const { sockets } = shared;
    const answer = await sendBytes(sockets.agent, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 (403|400) /);
    expect(answer).not.toContain('"status":"ok"');
    expect(answer).toContain("application/problem+json");
  });

  test("an absolute target cannot name another host", async () => {
    const { sockets } = shared;
    const bytes = "GET http://example.com/v1/health HTTP/1.1\r\nhost: nexusd\r\nconnection: close\r\n\r\n";
    expect(await sendBytes(sockets.agent, bytes)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test("is refused before its body has any effect", async () => {
    const { call, get } = shared;
    const headers = { origin: "https://example.com" };
    const { status } = await call("PUT", "/v1/consumers/evil", { body: { from: "oldest" }, headers });
    expect(status).toBe(403);
    expect((await get("/v1/consumers")).json.consumers).toEqual([]);
  });
});

describe("every answer is problem+json with the daemon's version and epoch", () => {
  const json = { "content-type": "application/json" };
  test.each([
    ["GET", "/nowhere", {}, 404, "not_found"],
    ["POST", "/nowhere", { raw: "{", headers: json }, 404, "not_found"],
    ["GET", "/v1/consumers/a/b/c", {}, 404, "not_found"],
    ["DELETE", "/v1/health", {}, 405, "method_not_allowed"],
    ["OPTIONS", "/v1/events", {}, 405, "method_not_allowed"],
    ["POST", "/v1/consumers/planner", {}, 405, "method_not_allowed"],
    ["PUT", "/v1/consumers/planner", { raw: "{", headers: json }, 400, "invalid_json"],
    ["PUT", "/v1/consumers/planner", { raw: '{"__proto__":{}}', headers: json }, 400, "invalid_json"],
    ["PUT", "/v1/consumers/planner", { raw: "", headers: json }, 400, "invalid_request"],
    ["PUT", "/v1/consumers/planner", {}, 400, "invalid_request"],
    [
      "PUT",
      "/v1/consumers/planner",
      { raw: "a=b", headers: { "content-type": "text/plain" } },
      415,
      "unsupported_media_type",
    ],
    ["PUT", "/v1/consumers/planner", { raw: "{}" }, 415, "unsupported_media_type"],
    [
      "PUT",
      "/v1/consumers/planner",
      { raw: `"${"x".repeat(2 ** 20)}"`, headers: json },
      413,
      "body_too_large",
    ],
    ["GET", "/v1/health?verbose=1", {}, 400, "invalid_request"],
    ["POST", "/v1/reload", { raw: '{"now":true}', headers: json }, 400, "invalid_request"],
    ["GET", `/v1/consumers/${"x".repeat(300)}/events`, {}, 414, "uri_too_long"],
    ["GET", "/v1/consumers/%zz/events", {}, 400, "invalid_request"],
    ["GET", "/v1/health", { headers: { expect: "the unexpected" } }, 417, "expectation_failed"],
    ["GET", "/v1/health", { headers: { "x-long": "x".repeat(20_000) } }, 431, "headers_too_large"],
  ] as const)("%s %s %j: %i %s", async (method, path, options, status, code) => {
    const { call, context, store } = shared;
    const answer = await call(method, path, options);
    expect(answer.headers).toMatchObject({
      "content-type": "application/problem+json; charset=utf-8",
      "nexusd-version": context.version,
      "nexusd-epoch": store.epoch,
    });
    expect(answer.status).toBe(status);
    expect(answer.json).toEqual({
      type: `urn:nexusd:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code,
      ...(code === "invalid_request" && answer.json.errors && { errors: expect.any(Array) }),
    });
  });

  test("bytes that are not HTTP", async () => {
    const { sockets, store } = shared;
    const answer = await sendBytes(sockets.agent, "NEXUS\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain(`nexusd-epoch: ${store.epoch}`);
    expect(answer).toContain('"code":"invalid_request"');
  });

  test("405 names the allowed methods", async () => {
    const { call } = shared;
    expect((await call("POST", "/v1/consumers/planner")).headers.allow).toBe("PUT, GET, HEAD, DELETE");
    expect((await call("POST", "/v1/events")).headers.allow).toBe("GET, HEAD");
    expect((await call("HEAD", "/v1/events/stream")).headers.allow).toBe("GET");
  });

  test("a body that is too large is refused without waiting for all of it", async () => {
    const { sockets } = shared;
    const head = "PUT /v1/consumers/planner HTTP/1.1\r\nhost: nexusd\r\ncontent-type: application/json\r\n";
    const announced = `${head}content-length: 104857600\r\nexpect: 100-continue\r\n\r\n`;
    expect(await sendThenRead(sockets.agent, announced)).toContain('"code":"body_too_large"');
    const chunk = `${(2 ** 20 + 1).toString(16)}\r\n${"x".repeat(2 ** 20 + 1)}`;
    const chunked = `${head}transfer-encoding: chunked\r\n\r\n${chunk}`;
    expect(await sendThenRead(sockets.agent, chunked)).toContain('"code":"body_too_large"');
  });

  test.each(["nexusd", "example.com"])(
    "a client (of %s) that writes its whole body before it reads still gets the reason",
    async (host) => {
      const { sockets } = shared;
      const body = "x".repeat(5 * 2 ** 20);
      const head = `PUT /v1/consumers/planner HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n`;
      const answer = await sendThenRead(
        sockets.agent,
        `${head}content-length: ${body.length}\r\n\r\n${body}`,
      );
      expect(answer).toMatch(/"code":"(body_too_large|forbidden_origin)"/);
    },
  );

  test("a failing store is 503 with a remedy", async () => {
    const { get, store } = await startTestControl();
    await store.close();
    const { status, json } = await get("/v1/status");
    expect(status).toBe(503);
    expect(json).toMatchObject({
      code: "store_unavailable",
      detail: expect.stringContaining("the store is closed"),
    });
  });

  test("an unexpected failure reveals nothing in its answer, but is logged", async () => {
    const { call, logged } = await startTestControl({
      context: {
        reload: async () => {
          throw new Error("secret-in-a-message");
        },
      },
    });
    const answer = await call("POST", "/v1/reload");
    expect(answer.json).toMatchObject({ status: 500, code: "internal_error" });
    expect(answer.text).not.toContain("secret");
    expect(logged).toContainEqual(
      expect.objectContaining({
        level: 50,
        err: expect.objectContaining({ message: "secret-in-a-message" }),
      }),
    );
  });
});

/** Writes all the bytes, and only then reads. @returns the answer, up to the end of a problem */
async function sendThenRead(path: string, bytes: string): Promise<string> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
  let answer = "";
  for await (const chunk of socket.setEncoding("utf8")) {
    answer += chunk;
    if (answer.endsWith("}")) break;
  }
  return answer;
}

test("a log line names the route, never the path, which can contain a session id", async () => {
  const { get, logged } = shared;
  await get("/v1/messaging/sessions/very-secret-session-id/messages");
  expect(logged.map(({ route }) => route)).toContain("/v1/messaging/sessions/:idOrAlias/messages");
  expect(JSON.stringify(logged)).not.toContain("very-secret");
});
