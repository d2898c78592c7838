// How requests are reported to have ended: against real servers that fail in each way.

import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createBudget } from "../../src/http/budget.ts";
import type { HttpRequest } from "../../src/http/client.ts";
import { REQUEST_OUTCOMES, type RequestOutcome } from "../../src/http/outcome.ts";
import { createHttpClient, type HttpClientOptions } from "../../src/http/transport.ts";
import { type Behaviour, closedOrigin, json, redirect, serve, stallHeaders } from "../support/http-server.ts";

/** How one request to such a server is counted. */
async function outcomesOf(
  behave: Behaviour | "closed",
  request: Partial<HttpRequest> = {},
  options: Partial<HttpClientOptions> = {},
): Promise<RequestOutcome[]> {
  const counted: RequestOutcome[] = [];
  const http = createHttpClient({
    ...{
      service: "nexus",
      origin: behave === "closed" ? await closedOrigin() : (await serve(behave)).origin,
    },
    ...{ clock: systemClock, timeoutMs: 5000, maxBytes: 1000, userAgent: "nexusd/test", ...options },
    count: (outcome) => counted.push(outcome),
  });
  const sent: HttpRequest = { method: "GET", path: "/x", label: "GET /x", ...request };
  for (const exchange of [http.request(sent), http.stream(sent)])
    await exchange.then(
      (answer) =>
        "headers" in answer && "body" in answer && "destroy" in answer.body && answer.body.destroy(),
      () => {},
    );
  return counted;
}

const spent = () => {
  const budget = createBudget({ limit: 1, reserve: 0, clock: systemClock });
  budget.tryAcquire("people");
  return budget;
};

test.each<[RequestOutcome, () => Promise<RequestOutcome[]>]>([
  ["succeeded", () => outcomesOf(json({ ok: true }))],
  ["rate_limited", () => outcomesOf(json({}, 429))],
  ["refused", () => outcomesOf(json({}, 404))],
  ["server_error", () => outcomesOf(json({}, 503))],
  ["network", () => outcomesOf("closed")],
  ["timeout", () => outcomesOf(stallHeaders, {}, { timeoutMs: 50 })],
  ["no_budget", () => outcomesOf(json({}), {}, { timeoutMs: 50, budget: spent() })],
  ["invalid", () => outcomesOf(redirect("http://other.example/"))],
  ["aborted", () => outcomesOf(json({}), { signal: AbortSignal.abort() })],
])("%s: a request and a stream, once each", async (outcome, counted) => {
  expect(await counted()).toEqual([outcome, outcome]);
});

test("an answer that is too large is invalid, and every outcome is covered above", async () => {
  expect((await outcomesOf(json("x".repeat(5000))))[0]).toBe("invalid");
  expect(REQUEST_OUTCOMES).toHaveLength(9);
});
