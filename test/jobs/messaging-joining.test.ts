// Hundreds of sessions at once, on a server that allows 100 requests a minute: the joined ones are polled.

import { expect, it } from "vitest";
import { MINUTE, watch } from "./messaging-harness.ts";

it("300 sessions are joined and polled concurrently: each is first polled within a minute of its join", async () => {
  const { messaging, start } = await watch();
  const ids = Array.from({ length: 300 }, () => messaging.createSession({ ttl: 7200 }));
  const job = await start(ids);
  const joinedAt = new Map<string, number>();
  const polledAt = new Map<string, number>();
  let firstPoll = 0;
  let longestGap = 0;
  let requests = 0;
  for (let passed = 0; passed < 20 * MINUTE; passed += 1000) {
    await job.advance(1000);
    const now = job.clock.monotonic();
    requests += messaging.requests.length;
    for (const { path } of messaging.requests.splice(0)) {
      const [, id = "", what = ""] = /\/sessions\/([^/]+)\/(join|messages)/.exec(path) ?? [];
      if (what === "join") joinedAt.set(id, now);
      else if (what === "messages") {
        const before = polledAt.get(id);
        if (before === undefined) firstPoll = Math.max(firstPoll, now - (joinedAt.get(id) ?? Number.NaN));
        else longestGap = Math.max(longestGap, now - before);
        polledAt.set(id, now);
      }
    }
  }
  expect(polledAt.size).toBe(300);
  expect(firstPoll).toBeLessThanOrEqual(MINUTE);
  // Four thirds of an even share, plus the time that a request may wait for the budget.
  expect(longestGap).toBeLessThanOrEqual(267_000 + 20_000);
  expect(requests).toBeLessThanOrEqual(100 * 21);
});
