// The polling job, beside a server with the same fake time.

import { onTestFinished } from "vitest";
import messagingPoll from "../../jobs/messaging-poll.ts";
import { systemClock } from "../../sandbox/clock.ts";
import { type MessagingOptions, startMessaging } from "../../sandbox/messaging.ts";
import { type JobHarness, type JobSurroundings, runJob } from "./harness.ts";

export const MINUTE = 60_000;

export async function watch(options: Partial<MessagingOptions> = {}, config = "") {
  const serverClock = systemClock();
  const messaging = await startMessaging({ rateLimit: null, clock: serverClock, ...options });
  onTestFinished(messaging.close);
  const start = async (sessions: string[], surroundings: JobSurroundings = {}) =>
    await runJob(
      messagingPoll,
      `[messaging]\nbase_url = "${messaging.url}"\nagent_id = "me"\n${config}
${sessions.map((id) => `[[messaging.sessions]]\nid = "${id}"`).join("\n")}
[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
      surroundings,
    );
  /** Both clocks advance together: the server's limits and ttls, and the daemon's waits. */
  const pass = async (job: JobHarness, ms: number, stepMs = 1000) => {
    for (let passed = 0; passed < ms; passed += stepMs) {
      serverClock.advance(stepMs);
      await job.advance(stepMs, stepMs);
    }
  };
  return { messaging, serverClock, start, pass };
}

export const received = async (job: JobHarness) =>
  (await job.events("messaging.message.received")).map(({ data }) => data.text);

export const has = (job: JobHarness, type: string) => async () => (await job.events(type)).length > 0;
