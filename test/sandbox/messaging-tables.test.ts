// The NexusMessaging stand-in against the two tables of its protocol, row by row. The stand-in's own features are in
// messaging.test.ts.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { type Call, ERRORS, openScene, REQUESTS, send as sendTo } from "../support/messaging-tables.ts";

let server: MessagingServer;
beforeEach(async () => {
  server = await startMessaging();
});
afterEach(() => server.close());

const scene = () => openScene(server);
const send = (call: Call) => sendTo(server, call);

describe("the table of requests", () => {
  test.each(REQUESTS)("%s", async (_, call, status, answer) => {
    const reply = await send(call(await scene()));
    expect(reply.status).toBe(status);
    expect(reply.body).toEqual(answer);
  });

  test("GET /p/:code: 301 to /v1/pair/:code/skill", async () => {
    const { code } = await scene();
    const reply = await send({ method: "GET", path: `/p/${code}` });
    expect([reply.status, reply.headers.get("location")]).toEqual([301, `/v1/pair/${code}/skill`]);
  });

  test("POST /v1/sessions/:id/messages: verified with a valid key, unverified without", async () => {
    const { at, key } = await scene();
    const post = (more: object) =>
      send({ method: "POST", path: `${at}/messages`, agent: "me", body: { text: "a" }, ...more });
    await post({ key });
    await post({});
    const { body } = await send({ method: "GET", path: `${at}/messages?after=0`, agent: "me" });
    expect(body.messages.map(({ verified }: { verified: boolean }) => verified)).toEqual([true, false]);
  });
});

describe("the table of errors", () => {
  test.each(ERRORS)("%i %s: %s", async (status, code, _, call) => {
    const reply = await send(await call(await scene()));
    expect([reply.status, reply.body.error]).toEqual([status, code]);
    // {error, message?, details?[]}, and nothing else.
    const { error: _error, message: words = "", details = [], ...rest } = reply.body;
    expect([typeof words, Array.isArray(details), rest]).toEqual(["string", true, {}]);
    if (code === "invalid_request") expect(details).not.toEqual([]);
    if (status === 429) expect(Number(reply.headers.get("retry-after"))).toBeGreaterThan(0);
    if (status === 500) expect(reply.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("a proxy in front answers HTML, which is not an error code", async () => {
    server.addFault({ kind: "html" });
    const reply = await send({ method: "GET", path: "/v1/stats" });
    expect([reply.status, reply.body]).toEqual([502, undefined]);
    expect(reply.text).toContain("<html");
  });
});
