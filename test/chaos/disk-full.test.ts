// A disk that fills while the daemon runs: it degrades, reports that in one line, and loses nothing once there is room.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { startMessaging } from "../../sandbox/messaging.ts";
import { startNex } from "../../sandbox/nex.ts";
import { ask, install, readLog, startDaemon, until } from "../support/daemon.ts";
import { fillDisk, smallDisk } from "../support/store.ts";

it("a full disk degrades the daemon, and once there is room everything arrives exactly once", {
  timeout: 120_000,
}, async ({ skip }) => {
  const { directory: disk } = smallDisk(skip, "8m");
  const messaging = await startMessaging({ rateLimit: null });
  const nex = await startNex({ apiKey: SANDBOX_ENV.NEX_API_KEY });
  const session = messaging.createSession({ ttl: 86_400 });
  const installation = install(
    `[messaging]
base_url = "${messaging.url}"
requests_per_minute = 3000
[[messaging.sessions]]
id = "${session}"
[nex]
base_url = "${nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
enabled = false
`,
    join(disk, "data"),
  );
  const daemon = startDaemon(installation);
  try {
    await daemon.ready;
    const health = async () => JSON.parse((await ask(installation.agentSocket, "/v1/health")).text).status;
    await until(async () => (await health()) === "ok", "a healthy start");

    const ballast = join(disk, "ballast");
    fillDisk(ballast);
    const sent: string[] = [];
    const insights: string[] = [];
    const send = (n: number) => {
      // Large enough that the room left in the write-ahead log does not take them.
      sent.push(messaging.post(session, "peer", { text: `${n} ${"x".repeat(60_000)}` }).id);
      insights.push(`insight ${n} ${"y".repeat(30_000)}`);
      nex.emit([{ type: "risk", content: insights.at(-1) ?? "" }]);
    };
    for (let n = 0; n < 20; n++) send(n);
    await until(
      () => /"level":"error".*"code":"full"/.test(daemon.log()),
      "the one line about the full disk",
    );
    expect(await health()).toBe("degraded");
    expect(daemon.log().match(/"level":"error"[^\n]*"code":"full"/g)).toHaveLength(1);
    for (let n = 20; n < 25; n++) send(n);

    rmSync(ballast);
    await until(() => daemon.log().includes("accepts commits again"), "the recovery");
    const events = await until(
      async () => {
        const log = await readLog(installation.agentSocket);
        const count = (type: string) => log.filter((event) => event.type === type).length;
        const isWhole =
          count("nexusd.messaging.message.received") >= sent.length &&
          count("nexusd.nex.insight.received") >= insights.length;
        return isWhole && log;
      },
      "all messages and insights",
      60_000,
    );
    const messages = events.flatMap(({ data }) => (data.messageId ? [data.messageId] : []));
    expect(messages).toEqual(sent);
    // The stream's insights do not wait for those that REST still has from before.
    const received = events.flatMap(({ data }) => (data.insight ? [data.insight.content] : []));
    expect(received.toSorted()).toEqual(insights.toSorted());
    await until(async () => (await health()) === "ok", "health again", 60_000);
  } finally {
    await daemon.end("SIGKILL");
    await Promise.all([messaging.close(), nex.close()]);
    installation.remove();
  }
});
