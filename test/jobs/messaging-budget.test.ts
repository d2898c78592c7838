// What the server counts: never more than it allows, through requests, refusals, renewals, sends and restarts.

import { expect, it, onTestFinished } from "vitest";
import messagingPoll from "../../jobs/messaging-poll.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/store.ts";
import { type JobHarness, runJob } from "./harness.ts";

const MINUTE = 60_000;

async function serve(clock: FakeClock, sessions: number, ttl = 3600) {
  // It refuses nothing by itself, so the arrivals show what nexusd considered allowed.
  const server = await startMessaging({ rateLimit: null, clock: { now: clock.now, advance: () => {} } });
  onTestFinished(server.close);
  const ids = Array.from({ length: sessions }, () => server.createSession({ ttl }));
  const arrivals: number[] = [];
  const collect = () => {
    arrivals.push(...server.requests.map(({ at }) => at));
    server.requests.length = 0;
  };
  const toml = `[messaging]\nbase_url = "${server.url}"\nagent_id = "me"
${ids.map((id) => `[[messaging.sessions]]\nid = "${id}"`).join("\n")}
[nex]\nenabled = false\n[nexus]\nenabled = false\n`;
  return { server, ids, toml, arrivals, collect };
}

/** The most arrivals in any 60 s. */
function most(arrivals: number[]): number {
  let first = 0;
  return Math.max(
    ...arrivals.map((at, index) => {
      while ((arrivals[first] ?? at) <= at - MINUTE) first += 1;
      return index - first + 1;
    }),
  );
}

/** Sends as an agent would; returns how long it took by the fake clock. */
async function send(clock: FakeClock, job: JobHarness, server: MessagingServer, id: string) {
  const begin = clock.monotonic();
  await job.services.messaging.http(server.url).request({
    ...{ method: "POST", path: `/v1/sessions/${id}/messages`, label: "POST /v1/sessions/:id/messages" },
    ...{ headers: { "x-agent-id": "me" }, json: { text: "hello" }, once: true, priority: "people" },
  });
  return clock.monotonic() - begin;
}

it("20 minutes with 100 sessions, sends, renewals and two restarts never take more than 100 requests in 60 s", async () => {
  const clock = createFakeClock(Date.now());
  const dataDir = temporaryDirectory();
  const { server, ids, toml, arrivals, collect } = await serve(clock, 100, 600);
  const waits: number[] = [];
  const sending: Promise<unknown>[] = [];
  let renewals = 0;
  let job = await runJob(messagingPoll, toml, { clock, dataDir });
  for (let second = 0; second < 20 * 60; second += 4) {
    await job.advance(4000, 4000);
    if (second === 6 * 60 || second === 13 * 60 + 20) {
      await Promise.all(sending.splice(0));
      await job.kill();
      job = await runJob(messagingPoll, toml, { clock, dataDir });
    }
    const joined = job.services.messaging.sessions.all().filter(({ state }) => state === "joined");
    if (second % 8 === 0 && joined[0])
      sending.push(
        send(clock, job, server, joined[second % joined.length]?.sessionId ?? "").then((ms) =>
          waits.push(ms),
        ),
      );
    renewals += server.requests.filter(({ path }) => path.endsWith("/renew")).length;
    // A busy session needs no renewal, so every other one is quiet.
    for (const [index, each] of ids.entries())
      if (second % 40 === 0 && index % 2 === 0) server.post(each, "peer", { text: `at ${second}` });
    collect();
  }
  await Promise.all(sending);
  expect(most(arrivals)).toBeLessThanOrEqual(100);
  // Nor does it leave much of it unused.
  expect(arrivals.length).toBeGreaterThan(20 * 85);
  expect(renewals).toBeGreaterThan(50);
  expect(waits.length).toBeGreaterThan(140);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1000);
});

it.each([
  ["for as long as it asks", { "retry-after": "90" }, 90_000],
  ["for 60 s where it does not say how long", {}, 60_000],
])(
  "after a 429 the server is left alone %s, then polled at the normal pace, without a burst",
  async (_, headers, restMs) => {
    const clock = createFakeClock(Date.now());
    const { server, toml, arrivals, collect } = await serve(clock, 50);
    const job = await runJob(messagingPoll, toml, { clock, dataDir: temporaryDirectory() });
    await job.advance(3 * MINUTE, 4000);
    collect();
    server.addFault({ kind: "status", status: 429, headers, times: 1 });
    await job.advanceUntil(() => server.requests.some(({ status }) => status === 429), "the 429", {
      stepMs: 100,
    });
    const refusedAt = server.requests.at(-1)?.at ?? Number.NaN;
    collect();
    await job.advance(restMs + 2 * MINUTE, 2000);
    collect();
    const after = arrivals.filter((at) => at > refusedAt + 1000);
    const again = after[0] ?? Number.NaN;
    expect(again - refusedAt).toBeGreaterThanOrEqual(restMs);
    expect(again - refusedAt).toBeLessThan(restMs + 2000);
    const within = (ms: number) => after.filter((at) => at < again + ms).length;
    expect(within(10_000)).toBeLessThanOrEqual(15 + 5);
    // Within one window it is back at its pace.
    expect(within(MINUTE)).toBeGreaterThan(80);
    expect(most(arrivals)).toBeLessThanOrEqual(100);
    expect(job.job()).toMatchObject({ state: "ok" });
  },
);
