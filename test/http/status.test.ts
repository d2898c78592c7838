import { describe, expect, test } from "vitest";
import { retryAfter, serviceCode, statusFailure } from "../../src/http/status.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const where = { service: "nexus", label: "GET /rest/v1/orders" };
const failure = (status: number, body = "", headers: Record<string, string> = {}) =>
  statusFailure({ status, headers, body }, where, createFakeClock());

describe("a response that is not 2xx", () => {
  test.each([408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 544, 546])(
    "%d can be retried",
    (status) => {
      expect(failure(status).retryable).toBe(true);
    },
  );

  test.each([300, 304, 400, 401, 402, 403, 404, 405, 409, 410, 412, 416, 422, 501, 505, 525, 540])(
    "%d cannot be retried",
    (status) => {
      expect(failure(status).retryable).toBe(false);
    },
  );

  test("a query that hit the statement timeout is not sent again", () => {
    expect(failure(500, '{"code":"57014","message":"canceling statement"}')).toMatchObject({
      code: "57014",
      retryable: false,
    });
    expect(failure(500, '{"code":"40001"}').retryable).toBe(true);
  });

  test.each([
    ["{error}", 404, { error: "session_not_found" }, "session_not_found"],
    [
      "{error, message}",
      429,
      { error: "rate_limit_exceeded", message: "Too many requests." },
      "rate_limit_exceeded",
    ],
    ["{code}", 401, { code: "PGRST301", message: "JWT expired", details: null, hint: null }, "PGRST301"],
    ["{error: {code}}", 400, { error: { code: "invalid_input", message: "no" } }, "invalid_input"],
    ["{message}", 403, { message: "forbidden" }, "forbidden"],
    [
      "JSON-RPC",
      400,
      { jsonrpc: "2.0", id: 1, error: { code: -32602, message: "bad arguments" } },
      "rpc_-32602",
    ],
    ["a code that repeats the status", 404, { code: 404, message: "no such record" }, "http_404"],
    ["prose", 400, { error: "Something went wrong." }, "http_400"],
    ["a list", 404, [], "http_404"],
    ["a bare string", 500, "oops", "http_500"],
  ])("its code is read from %s", (_, status, body, expected) => {
    expect(failure(status, JSON.stringify(body)).code).toBe(expected);
  });

  test("its code is read from the gateway's header, after the body's own", () => {
    const headers = { "sb-error-code": "UNAUTHORIZED_MISSING_API_KEY" };
    expect(serviceCode(401, headers, { message: "No API key found in request" })).toBe(
      "UNAUTHORIZED_MISSING_API_KEY",
    );
    expect(serviceCode(500, headers, { error: "order_locked" })).toBe("order_locked");
  });

  test.each(["<html><title>502</title></html>", "Bad Gateway", "", "{", "null", "502"])(
    "%j makes the status its code",
    (body) => {
      expect(failure(502, body).code).toBe("http_502");
    },
  );

  test("its wait follows the server's clock, if that is known", () => {
    const clock = createFakeClock();
    const headers = { date: "Thu, 01 Jan 2026 01:00:00 GMT", "retry-after": "Thu, 01 Jan 2026 01:00:20 GMT" };
    expect(retryAfter(503, headers, clock)).toBe(20_000);
  });

  test("a 429 without a time asks for a minute, any other status for none", () => {
    expect(failure(429).retryAfterMs).toBe(60_000);
    expect(failure(429, "", { "retry-after": "soon" }).retryAfterMs).toBe(60_000);
    expect(failure(429, "", { "retry-after": "0" }).retryAfterMs).toBe(0);
    expect(failure(503).retryAfterMs).toBeUndefined();
  });
});
