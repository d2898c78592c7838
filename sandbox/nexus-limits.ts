/** Limits of the Nexus stand-in: requests per minute. */

import type { SandboxClock } from "./clock.ts";
import { json, type Reply } from "./http.ts";

const windowMs = 60_000;

/**
 * Counts by key. Returns the 429 for the caller, or undefined if there is room, which this call then uses. A refused
 * request uses none, so that Retry-After holds.
 */
export function minuteLimit(limit: number | null, clock: SandboxClock): (key: string) => Reply | undefined {
  const served = new Map<string, number[]>();
  return (key) => {
    if (limit === null) return undefined;
    const now = clock.now();
    const recent = (served.get(key) ?? []).filter((at) => now - at < windowMs);
    served.set(key, recent);
    const oldest = recent[0];
    if (oldest !== undefined && recent.length >= limit) return tooMany((oldest + windowMs - now) / 1000);
    recent.push(now);
    return undefined;
  };
}

export function tooMany(seconds: number): Reply {
  const wait = String(Math.ceil(seconds));
  const message = `Too many requests. Retry after ${wait} seconds.`;
  return json(429, { error: "rate_limit_exceeded", message }, { "retry-after": wait });
}
