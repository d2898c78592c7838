// How a request ended, for counting.

import { HttpError } from "./errors.ts";

/**
 * `refused`: a status from 400 to 499 except 429; `server_error`: any other non-2xx; `invalid`: an unusable answer, or
 * a request that HTTP cannot carry; `no_budget`: never sent, because the budget was used up.
 */
export const REQUEST_OUTCOMES = [
  "succeeded",
  "rate_limited",
  "refused",
  "server_error",
  "timeout",
  "network",
  "no_budget",
  "invalid",
  "aborted",
] as const;
export type RequestOutcome = (typeof REQUEST_OUTCOMES)[number];

export function outcomeOf(error: unknown): RequestOutcome {
  if (!(error instanceof HttpError)) return "invalid";
  const { kind, code, status = 0 } = error;
  switch (kind) {
    case "status":
      if (status === 429) return "rate_limited";
      return status >= 400 && status < 500 ? "refused" : "server_error";
    case "timeout":
      return code === "budget_timeout" ? "no_budget" : "timeout";
    case "network":
    case "aborted":
      return kind;
    case "invalid_body":
    case "too_large":
    case "redirect_refused":
    case "invalid_request":
      return "invalid";
    default:
      return kind satisfies never;
  }
}
