// The retention job on a real log: what it removes, and that readers learn of it.

import { expect, it } from "vitest";
import retention from "../../jobs/retention.ts";
import type { Observation } from "../../src/contract/store.ts";
import { isoTime } from "../../src/core/clock.ts";
import { createSessionChanges, sessionKeyName } from "../../src/services/messaging/membership/changes.ts";
import { newSession, SESSION_KIND, type Session } from "../../src/services/messaging/membership/session.ts";
import { createSessionSet } from "../../src/services/messaging/membership/sessions.ts";
import { createHarness, DAY, HOUR, MINUTE, NOON, SECOND, testConfig } from "../scheduler/harness.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { numbered, numbersOf, openTestStore } from "../support/store.ts";
import { propose, rejection } from "../support/stored-write.ts";

async function logOfDays(days: number) {
  const clock = createFakeClock(NOON);
  const store = await openTestStore({ clock });
  for (let day = 1; day <= days; day++) {
    await store.commitObservation({ source: "test", events: [numbered(day)] });
    await clock.advance(DAY);
  }
  const harness = createHarness([retention], { realStore: store, clock });
  const kept = async () =>
    numbersOf(await store.readEvents({ after: 0, limit: 100, types: ["service.recovered"] }));
  return { ...harness, store, kept };
}

it("removes what is older than keep_events, and readers see the gap", async () => {
  const { clock, scheduler, kept, store } = await logOfDays(5);
  scheduler.reconfigure(testConfig({ jobs: { retention: { keep_events: "60h" } } }));
  scheduler.start();
  await clock.settle();
  expect(await kept()).toEqual([4, 5]);
  expect(await store.readEvents({ after: 1, limit: 1 })).toMatchObject({ gap: { from: 2, to: 3 } });
  await scheduler.stop(SECOND);
});

it("removes what is beyond max_events", async () => {
  const { clock, scheduler, kept } = await logOfDays(5);
  scheduler.reconfigure(testConfig({ jobs: { retention: { max_events: 1 } } }));
  scheduler.start();
  await clock.settle();
  expect(await kept()).toEqual([5]);
  await scheduler.stop(SECOND);
});

it("keeps everything if the duration exceeds all time, and makes up a run that it missed", async () => {
  const { clock, scheduler, kept, status } = await logOfDays(2);
  scheduler.reconfigure(testConfig({ jobs: { retention: { keep_events: "999999999999d" } } }));
  scheduler.start();
  await clock.advance(HOUR);
  expect(await kept()).toEqual([1, 2]);
  expect(status()).toMatchObject({ state: "ok", runs: 1 });
  await scheduler.stop(SECOND);
});

it("forgets insights only if configured, and then by their own limit", async () => {
  const { clock, scheduler, store } = await logOfDays(0);
  for (let day = 1; day <= 3; day++) {
    const data = { insight: { content: `day ${day}` }, workspace: null, origin: "live" } as const;
    await store.commitObservation({
      source: "test",
      events: [{ type: "nex.insight.received", source: "/nex/insights", data }],
    });
    await clock.advance(DAY);
  }
  const remembered = async () =>
    (await store.searchEvents({ limit: 10, text: "day" })).map(
      ({ data }) => JSON.parse(data).insight.content,
    );
  scheduler.reconfigure(testConfig({ jobs: { retention: { keep_events: "1h" } } }));
  scheduler.start();
  await clock.settle();
  expect(await remembered()).toEqual(["day 3", "day 2", "day 1"]);
  scheduler.reconfigure(testConfig({ jobs: { retention: { keep_insights: "36h" } } }));
  await scheduler.run("retention");
  expect(await remembered()).toEqual(["day 3"]);
  await scheduler.stop(SECOND);
});

it("forgets sessions that ended before keep_events, with their keys, and no others", async () => {
  const clock = createFakeClock(NOON);
  const store = await openTestStore({ clock });
  const sessions = createSessionSet({ clock, paceMs: SECOND, maxStalenessMs: 60 * SECOND });
  const changes = createSessionChanges(() => sessions);
  const commit = async (changed: Observation[]) => {
    for (const observation of changed) await store.commitObservation(observation);
    return { isCommitted: true };
  };
  const put = (sessionId: string, is: Partial<Session>) => {
    const made = newSession({ sessionId, alias: null, baseUrl: "https://m", agentId: "nexusd" });
    const change = () => ({ session: { ...made, joinedAt: isoTime(clock.now()), ...is }, events: [] });
    return changes.apply([{ sessionId, change, sessionKey: "key" }], clock.now, commit);
  };
  await put("expired-long-ago", { state: "expired" });
  await put("left-long-ago", { state: "left" });
  await put("lost-without-a-join", { state: "lost", joinedAt: null });
  await put("goes-on", { state: "joined" });
  await put("is-configured", { state: "left" });
  await put("lives-without-us", { state: "lost", expiresAt: isoTime(NOON + 4 * DAY) });
  await put("joined-again", { state: "left" });
  await clock.advance(2 * DAY);
  await put("left-today", { state: "left", joinedAt: isoTime(NOON) });
  await put("joined-again", { state: "joined" });
  await clock.advance(DAY);

  const { scheduler } = createHarness([retention], {
    ...{ realStore: store, clock, services: { messaging: { sessions, changes } } },
  });
  scheduler.reconfigure(
    testConfig({
      jobs: { retention: { keep_events: "60h" } },
      messaging: { sessions: [{ id: "is-configured" }] },
    }),
  );
  scheduler.start();
  await clock.settle();
  await scheduler.stop(SECOND);
  const kept = ["goes-on", "is-configured", "joined-again", "left-today", "lives-without-us"];
  expect((await store.readRecords(SESSION_KIND)).map(({ key }) => key)).toEqual(kept);
  expect(
    sessions
      .all()
      .map(({ sessionId }) => sessionId)
      .toSorted(),
  ).toEqual(kept);
  for (const id of kept) expect(await store.readSecret(sessionKeyName(id))).toBe("key");
  for (const id of ["expired-long-ago", "left-long-ago", "lost-without-a-join"])
    expect(await store.readSecret(sessionKeyName(id))).toBeUndefined();
});

/** Hour by hour, so that a run ends before the next one is due. */
async function pass(clock: FakeClock, days: number): Promise<void> {
  for (let hours = 0; hours < 24 * days; hours++) await clock.advance(HOUR);
}

it("removes nothing when the clock jumps 60 days ahead, for a minute or for good", async () => {
  const { clock, scheduler, kept } = await logOfDays(20);
  scheduler.start();
  await clock.settle();
  clock.jump(60 * DAY);
  await clock.advance(MINUTE);
  await scheduler.run("retention");
  clock.jump(-60 * DAY);
  await pass(clock, 2);
  expect(await kept()).toHaveLength(20);
  clock.jump(60 * DAY);
  await pass(clock, 7);
  expect(await kept()).toHaveLength(20);
  // Then the oldest is 30 days old, and the clock has been steady.
  await pass(clock, 3);
  expect((await kept()).length).toBeLessThan(20);
  await scheduler.stop(SECOND);
});

it("keeps what was written before a clock that started in 1970 was corrected, for as long as anything else", async () => {
  const clock = createFakeClock(Date.UTC(1970, 0, 1));
  const store = await openTestStore({ clock });
  const { scheduler } = createHarness([retention], { realStore: store, clock });
  scheduler.start();
  await clock.settle();
  await store.commitObservation({ source: "test", events: [numbered(1)] });
  clock.jump(NOON);
  await pass(clock, 29);
  await store.commitObservation({ source: "test", events: [numbered(2)] });
  const kept = async () =>
    numbersOf(await store.readEvents({ after: 0, limit: 100, types: ["service.recovered"] }));
  expect(await kept()).toEqual([1, 2]);
  await pass(clock, 3);
  expect(await kept()).toEqual([2]);
  await scheduler.stop(SECOND);
});

it("keeps working if the clock is stepped before each of its runs", async () => {
  const { clock, scheduler, kept } = await logOfDays(33);
  scheduler.start();
  await clock.settle();
  expect((await kept())[0]).toBe(4);
  for (let day = 0; day < 16; day++) {
    await clock.advance(DAY / 2);
    clock.jump(DAY / 2);
  }
  await clock.advance(HOUR);
  expect((await kept())[0]).toBeGreaterThan(8);
  await scheduler.stop(SECOND);
});

it("removes the bodies of writes that ended 30 days ago, whatever the wall clock says", async () => {
  const clock = createFakeClock(NOON);
  const store = await openTestStore({ clock });
  const { scheduler } = createHarness([retention], { realStore: store, clock });
  const reject = async () => {
    const { id } = await propose(store, { proposedAt: isoTime(clock.now()) });
    await store.transitionWrite(rejection(id, "no", isoTime(clock.now())));
    return id;
  };
  const open = await propose(store, { proposedAt: isoTime(clock.now()) });
  const old = await reject();
  scheduler.start();
  await clock.settle();
  await pass(clock, 20);
  const recent = await reject();
  // A clock that jumps ahead for a minute, and one that stays there.
  clock.jump(60 * DAY);
  await clock.advance(MINUTE);
  clock.jump(-60 * DAY);
  await clock.advance(MINUTE);
  clock.jump(60 * DAY);
  await pass(clock, 7);
  const removed = async (id: string) => (await store.readWrite(id))?.bodyRemovedAt !== null;
  expect([await removed(old), await removed(recent), await removed(open.id)]).toEqual([false, false, false]);
  await pass(clock, 6);
  expect([await removed(old), await removed(recent), await removed(open.id)]).toEqual([true, false, false]);
  expect(await store.verifyAudit()).toMatchObject({ ok: true });
  await scheduler.stop(SECOND);
});
