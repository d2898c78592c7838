// Waiting at the end of the log, for thousands at a time.

import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { followLog } from "../../src/store/tail.ts";
import { recovered, temporaryDirectory } from "../support/control.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { openStore } from "../support/open-store.ts";

async function setUp() {
  const clock = createFakeClock();
  // A store has timers of its own.
  const store = await openStore({ dataDir: await temporaryDirectory(), clock: systemClock });
  const stop = new AbortController();
  const tail = followLog({ store, clock, signal: stop.signal });
  const append = () => store.commitObservation({ source: "test", events: [recovered()] });
  return { clock, store, stop, tail, append };
}

test("5,000 waiters are woken by one append, and leave no timer and no listener behind", async () => {
  const { clock, tail, append } = await setUp();
  const signal = new AbortController().signal;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    return addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    return removeEventListener.apply(signal, args);
  };
  const waits = Array.from({ length: 5000 }, () => tail.wait(0, 60_000, signal));
  expect([clock.pending(), listeners]).toEqual([5000, 5000]);
  await append();
  expect(new Set(await Promise.all(waits))).toEqual(new Set(["appended"]));
  expect([clock.pending(), listeners]).toEqual([0, 0]);
});

test("an append between the read and the wait is not missed", async () => {
  const { tail, append } = await setUp();
  await append();
  expect(await tail.wait(0, 60_000)).toBe("appended");
});

test("only readers for whom the log has grown are woken", async () => {
  const { clock, tail, append } = await setUp();
  const outcome = tail.wait(1, 1000);
  await append();
  await clock.advance(1000);
  expect(await outcome).toBe("elapsed");
});

test("a wait ends with its own signal, and with the tail", async () => {
  const { clock, stop, tail } = await setUp();
  const gone = new AbortController();
  const waits = [tail.wait(0, 1000, gone.signal), tail.wait(0, 1000)];
  gone.abort();
  expect(await waits[0]).toBe("closed");
  stop.abort();
  expect(await waits[1]).toBe("closed");
  expect(await tail.wait(0, 1000)).toBe("closed");
  expect(clock.pending()).toBe(0);
});

test("a wait of 0 is answered at once", async () => {
  const { tail } = await setUp();
  expect(await tail.wait(0, 0)).toBe("elapsed");
  expect(await tail.wait(0, 1000, AbortSignal.abort())).toBe("closed");
});
