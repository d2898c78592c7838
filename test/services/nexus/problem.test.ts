// Four shapes of error, one problem: its code, its meaning, its remedy.

import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { statusFailure } from "../../../src/http/status.ts";
import { explained } from "../../../src/services/nexus/problem.ts";

const failure = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  explained(
    statusFailure(
      { status, headers, body: typeof body === "string" ? body : JSON.stringify(body) },
      { service: "nexus", label: "POST /x" },
      systemClock,
    ),
  );
const postgrest = (code: string) => ({ code, message: "m", details: null, hint: null });

describe.each([
  ["PostgREST 12", 404, postgrest("42P01"), {}, "42P01", "does not have this table"],
  ["PostgREST 14", 404, postgrest("PGRST205"), {}, "PGRST205", "does not have this table"],
  ["PostgREST, a column", 400, postgrest("42703"), {}, "42703", "does not have this column"],
  ["PostgREST, a column of a body", 400, postgrest("PGRST204"), {}, "PGRST204", "does not have this column"],
  ["PostgREST, rights", 403, postgrest("42501"), {}, "42501", "Check its scopes"],
  ["PostgREST, too slow", 500, postgrest("57014"), {}, "57014", "ask for less"],
  ["the gateway", 540, { message: "Project paused" }, {}, "http_540", "Only Nexus can resume it"],
  ["the gateway, HTML", 402, "<html>", {}, "http_402", "restricted"],
  ["the platform", 546, { code: "WORKER_LIMIT" }, {}, "WORKER_LIMIT", "resources"],
  [
    "the platform, by its header",
    546,
    "oops",
    { "sb-error-code": "WORKER_LIMIT" },
    "WORKER_LIMIT",
    "resources",
  ],
  [
    "the platform, no function",
    404,
    "Function not found",
    { "sb-error-code": "NOT_FOUND" },
    "NOT_FOUND",
    "does not have this function",
  ],
  [
    "a function",
    403,
    { error: "insufficient_scope", message: "m" },
    {},
    "insufficient_scope",
    "Check its scopes",
  ],
  [
    "a function, the plan",
    403,
    { error: "plan_limit_exceeded", limit: 50 },
    {},
    "plan_limit_exceeded",
    "the plan",
  ],
  [
    "a function, too many",
    429,
    { error: "rate_limit_exceeded" },
    { "retry-after": "7" },
    "rate_limit_exceeded",
    "waits",
  ],
  [
    "JSON-RPC",
    403,
    { jsonrpc: "2.0", id: null, error: { code: -32_003, message: "not allowed" } },
    {},
    "rpc_-32003",
    "Check its scopes",
  ],
  ["an empty 404", 404, "", {}, "http_404", "nexus.base_url"],
])("%s", (_, status, body, headers, code, says) => {
  test(`is ${code}, and says what to do`, () => {
    const error = failure(status, body, headers);
    expect(error).toMatchObject({ kind: "status", status, code });
    expect(error.message).toContain(`nexus: POST /x answered ${status}: `);
    expect(error.message).toContain(says);
  });
});

test("the retry policy's inputs are unchanged", () => {
  const error = failure(429, { error: "rate_limit_exceeded" }, { "retry-after": "7" });
  expect(error).toMatchObject({ retryable: true, retryAfterMs: 7000, maybeSent: true });
  expect(failure(500, { message: "?" }).message).toBe("nexus: POST /x answered 500");
});
