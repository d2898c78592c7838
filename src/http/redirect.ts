// Redirects: followed only if they cannot carry a request or a credential to another origin.

import type { Method } from "./client.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";

const STATUSES = new Set([301, 302, 303, 307, 308]);
const MAX_HOPS = 3;

/**
 * The path and query of a redirect's target; undefined if the answer is not a redirect.
 * @param hops redirects followed so far
 * @throws HttpError `redirect_refused`: to another origin, for a method with effects, or one too many
 */
export function redirectTarget(
  answer: { status: number; headers: Record<string, string> },
  request: { method: Method; origin: string; path: string; hops: number },
  where: Where,
): string | undefined {
  const { location } = answer.headers;
  if (!STATUSES.has(answer.status) || location === undefined) return undefined;

  const refuse = (code: string, why: string) =>
    new HttpError({
      ...where,
      kind: "redirect_refused",
      message: `${where.service}: ${where.label} answered ${answer.status}, ${why}`,
      status: answer.status,
      code,
      retryable: false,
      maybeSent: true,
      headers: answer.headers,
    });
  if (request.method !== "GET" && request.method !== "HEAD") {
    throw refuse("redirect_method", `a redirect of a ${request.method}, which is not followed`);
  }
  const target = URL.parse(location, request.origin + request.path);
  if (target?.origin !== request.origin) {
    const why = "a redirect to another origin, which is not followed: is its base_url right?";
    throw refuse("redirect_other_origin", why);
  }
  if (request.hops >= MAX_HOPS) {
    throw refuse("redirect_too_many", `a redirect after ${MAX_HOPS} others, which is not followed`);
  }
  return target.pathname + target.search;
}
