import { describe, expect, test, vi } from "vitest";
import { HttpError } from "../../src/http/errors.ts";
import { createRetry } from "../../src/http/retry.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const failure = (details: { retryable: boolean; retryAfterMs?: number }) =>
  new HttpError({
    kind: "status",
    service: "nex",
    label: "GET /insights",
    message: "nex: GET /insights answered 503",
    code: "http_503",
    maybeSent: true,
    ...details,
  });

/** Runs with attempts that always fail; returns their start times and how it ended. */
function run(
  error: Error,
  options: { deadlineMs?: number; signal?: AbortSignal; random?: number; retries?: number },
) {
  const clock = createFakeClock();
  const starts: number[] = [];
  const { random = 0.5, retries, ...limits } = options;
  const retry = createRetry({ clock, random: () => random, ...(retries === undefined ? {} : { retries }) });
  const outcome = retry(async () => {
    starts.push(clock.monotonic());
    throw error;
  }, limits).catch((reason: unknown) => reason);
  return { clock, starts, outcome };
}

describe("a retried read", () => {
  test("waits for a random part of a doubling backoff, and finally returns the last error", async () => {
    const error = failure({ retryable: true });
    const { clock, starts, outcome } = run(error, { random: 0.5, retries: 4 });
    await clock.advance(60_000);
    expect(starts).toEqual([0, 250, 750, 1750, 3750]);
    expect(await outcome).toBe(error);
  });

  test("never backs off for more than half a minute", async () => {
    const { clock, starts } = run(failure({ retryable: true }), { random: 1, retries: 8 });
    await clock.advance(600_000);
    const waits = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  });

  test("waits at least as long as the server asks", async () => {
    const { clock, starts } = run(failure({ retryable: true, retryAfterMs: 7000 }), { retries: 1 });
    await clock.advance(6999);
    expect(starts).toEqual([0]);
    await clock.advance(1);
    expect(starts).toEqual([0, 7000]);
  });

  test("gives up at once if the next attempt would start after the deadline", async () => {
    const error = failure({ retryable: true, retryAfterMs: 60_000 });
    const { starts, outcome } = run(error, { deadlineMs: 10_000 });
    expect(await outcome).toBe(error);
    expect(starts).toEqual([0]);
  });

  test.each([
    ["an HttpError that is not retryable", failure({ retryable: false })],
    ["any other error", new Error("bug")],
  ])("is not repeated after %s", async (_, error) => {
    const { starts, outcome } = run(error, {});
    expect(await outcome).toBe(error);
    expect(starts).toEqual([0]);
  });

  test("ends as soon as its signal aborts, and leaves no timer", async () => {
    const controller = new AbortController();
    const { clock, outcome } = run(failure({ retryable: true, retryAfterMs: 60_000 }), {
      signal: controller.signal,
    });
    await clock.settle();
    expect(clock.pending()).toBe(1);
    const reason = new Error("stopping");
    controller.abort(reason);
    expect(await outcome).toBe(reason);
    expect(clock.pending()).toBe(0);
  });

  test("returns the first success", async () => {
    const clock = createFakeClock();
    const attempt = vi.fn(async () => "rows");
    attempt.mockRejectedValueOnce(failure({ retryable: true }));
    const outcome = createRetry({ clock, random: () => 1 })(attempt);
    await clock.advance(500);
    expect(await outcome).toBe("rows");
    expect(attempt).toHaveBeenCalledTimes(2);
  });
});
