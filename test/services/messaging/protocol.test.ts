// Our client against both tables of the protocol, row by row: it reads every answer and recognises every error.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MessagingServer, startMessaging } from "../../../sandbox/messaging.ts";
import { HttpError } from "../../../src/http/errors.ts";
import { type Call, ERRORS, openScene, REQUESTS } from "../../support/messaging-tables.ts";
import { createBench } from "../operations/support.ts";

let server: MessagingServer;
beforeEach(async () => {
  server = await startMessaging();
});
afterEach(() => server.close());

/** One request by the client that every operation and job uses. */
function ask({ method, path, agent, key, body }: Call) {
  const { services } = createBench({ messaging: server.url });
  return services.messaging.http(server.url).request({
    // The tables have no others.
    ...{ method: method as "GET" | "POST" | "PUT" | "DELETE", path, label: `${method} a row` },
    headers: {
      ...(agent !== undefined && { "x-agent-id": agent }),
      ...(key !== undefined && { "x-session-key": key }),
    },
    ...(typeof body === "string" ? { body } : body === undefined ? {} : { json: body }),
  });
}

describe("a request", () => {
  test.each(REQUESTS)("%s", async (_, call, status, answer) => {
    const response = await ask(call(await openScene(server)));
    expect([response.status, response.json()]).toEqual([status, answer]);
  });

  test("GET /p/:code is a redirect within the server, and is followed", async () => {
    const { code } = await openScene(server);
    const page = await ask({ method: "GET", path: `/p/${code}` });
    expect(page.text()).toContain(`/v1/pair/${code}/claim`);
  });
});

const failureOf = async (call: Call): Promise<HttpError> => {
  const error = await ask(call).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof HttpError) return error;
  throw new Error("it succeeded, or failed otherwise", { cause: error });
};

/** Temporary failures; every other refusal stays the same, however often it is repeated. */
const PASSING = new Set(["rate_limit_exceeded", "internal_error"]);

describe("an error", () => {
  test.each(ERRORS)("%i %s: %s", async (status, code, _, call) => {
    const scene = await openScene(server);
    const error = await failureOf(await call(scene));
    expect(error).toMatchObject({
      kind: "status",
      status,
      code,
      retryable: PASSING.has(code),
      maybeSent: true,
    });
    if (status === 429) expect(error.retryAfterMs).toBeGreaterThan(0);
    for (const secret of [scene.session, scene.key, scene.code]) {
      expect(error.message).not.toContain(secret);
      expect(JSON.stringify(error)).not.toContain(secret);
    }
  });

  test("429 without Retry-After pauses the server for a minute", async () => {
    server.addFault({ kind: "status", status: 429, body: { error: "rate_limit_exceeded" } });
    expect(await failureOf({ method: "GET", path: "/health" })).toMatchObject({
      ...{ code: "rate_limit_exceeded", retryable: true, retryAfterMs: 60_000 },
    });
  });

  test.each([
    [502, "http_502", true],
    [403, "http_403", false],
  ])("HTML of a proxy with %i is not a service code, and %s says so", async (status, code, retryable) => {
    server.addFault({ kind: "html", status });
    expect(await failureOf({ method: "GET", path: "/health" })).toMatchObject({ status, code, retryable });
  });

  test("HTML of a proxy with 200 is not an answer", async () => {
    server.addFault({ kind: "html", status: 200 });
    const { services } = createBench({ messaging: server.url });
    await expect(
      services.messaging.server(server.url).health(AbortSignal.timeout(60_000)),
    ).rejects.toMatchObject({
      kind: "invalid_body",
    });
  });

  test.each([
    [412, "CHALLENGE_REQUIRED"],
    [429, "COOLDOWN_ACTIVE"],
  ])("%i %s of the draft keeps its code", async (status, code) => {
    server.addFault({ kind: "status", status, body: { error: code } });
    expect(await failureOf({ method: "GET", path: "/health" })).toMatchObject({ status, code });
  });
});
