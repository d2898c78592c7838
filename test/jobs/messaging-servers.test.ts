// Several servers at once: each has its own budget, pace and failures.

import { describe, expect, it, onTestFinished } from "vitest";
import messagingPoll from "../../jobs/messaging-poll.ts";
import { systemClock } from "../../sandbox/clock.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { runJob } from "./harness.ts";

const MINUTE = 60_000;
const SESSIONS = 3;

async function twoServers() {
  const clock = systemClock();
  const open = async () => {
    const server = await startMessaging({ clock });
    onTestFinished(server.close);
    return server;
  };
  const [one, two] = [await open(), await open()];
  const tables = [one, two].flatMap((server) =>
    Array.from(
      { length: SESSIONS },
      () => `[[messaging.sessions]]\nid = "${server.createSession()}"\nbase_url = "${server.url}"`,
    ),
  );
  const job = await runJob(
    messagingPoll,
    `[messaging]\nbase_url = "${one.url}"\nagent_id = "me"\n${tables.join("\n")}
[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
  );
  /** The clocks of the servers and of the daemon advance together. */
  const pass = async (ms: number, stepMs = 2000) => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      clock.advance(stepMs);
      await job.advance(stepMs, stepMs);
    }
  };
  return { one, two, job, pass };
}

const polls = ({ requests }: MessagingServer) => requests.filter(({ path }) => path.includes("/messages"));

describe("two servers", () => {
  it("are each polled at full pace", async () => {
    const { one, two, job, pass } = await twoServers();
    await pass(2 * MINUTE);
    for (const server of [one, two]) {
      expect(polls(server).length).toBeGreaterThan(2 * 85);
      expect(polls(server).length).toBeLessThanOrEqual(2 * 90 + 1);
      expect(server.requests.filter(({ status }) => status !== 200)).toEqual([]);
    }
    expect(job.job()).toMatchObject({ state: "ok", lastError: null });
  });

  it.each([503, 429])(
    "a server that answers %i slows only itself down, and status names it",
    async (status) => {
      const { one, two, job, pass } = await twoServers();
      await pass(10_000);
      two.addFault({ kind: "status", status, match: "/", times: 1000 });
      const before = { one: polls(one).length, two: two.requests.length };
      await pass(MINUTE);
      expect(polls(one).length - before.one).toBeGreaterThan(85);
      expect(two.requests.length - before.two).toBeLessThan(10);
      expect(job.job()).toMatchObject({ state: "degraded", failures: 0 });
      expect(job.job().lastError?.message).toContain(two.url);
      expect(await job.events("job.failed")).toEqual([]);
      two.clearFaults();
      await pass(2 * MINUTE);
      expect(job.job()).toMatchObject({ state: "ok", lastError: null });
      expect(polls(two).filter((request) => request.status === 200).length).toBeGreaterThan(60);
    },
  );
});
