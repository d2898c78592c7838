import { expect, onTestFinished, test } from "vitest";
import { startMessaging } from "../../sandbox/messaging.ts";
import { systemClock } from "../../src/core/clock.ts";
import { SESSION_KIND, sessionRecord } from "../../src/services/messaging/membership/session.ts";
import { openStore } from "../../src/store/sqlite/store.ts";
import { install, startDaemon, until } from "../support/daemon.ts";

test("the estimates for a quiet session survive an orderly stop", async () => {
  const messaging = await startMessaging({ rateLimit: null });
  onTestFinished(messaging.close);
  const id = messaging.createSession();
  const installation = install(
    `[messaging]\nbase_url = "${messaging.url}"\nrequests_per_minute = 60000
[[messaging.sessions]]\nid = "${id}"\n[nex]\nenabled = false\n[nexus]\nenabled = false\n`,
  );
  onTestFinished(installation.remove);
  const daemon = startDaemon(installation);
  await daemon.ready;
  const polls = () => messaging.requests.filter(({ path }) => path.includes("/messages")).length;
  await until(async () => polls() > 20, "twenty polls");
  expect(await daemon.end("SIGTERM")).toBe(0);

  const store = await openStore({ dataDir: installation.dataDir, clock: systemClock });
  onTestFinished(() => store.close());
  const record = sessionRecord.parse((await store.readRecord(SESSION_KIND, id))?.value);
  expect(record).toMatchObject({ state: "joined", lastPolledAt: expect.any(String) });
  expect(record.pacing?.exposureS).toBeGreaterThan(0);
});
