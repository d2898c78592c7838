// A client of a real daemon, with a session of a messaging server that another agent writes to.

import { onTestFinished } from "vitest";
import { startMessaging } from "../../sandbox/messaging.ts";
import { createClient } from "../../src/client/index.ts";
import { install, type RunningDaemon, startDaemon } from "../support/daemon.ts";

export async function startAll() {
  const server = await startMessaging({ rateLimit: null });
  onTestFinished(server.close);
  const sessionId = server.createSession();
  const installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${sessionId}"
alias = "shop"
[nex]\nenabled = false
[nexus]\nenabled = false
[approvals.policy]
"messaging.sessions.create" = "operator"
`);
  onTestFinished(installation.remove);
  let running: RunningDaemon | undefined;
  onTestFinished(async () => {
    await running?.end("SIGKILL");
  });
  const nexusd = createClient(installation);
  onTestFinished(nexusd.close);
  return {
    ...{ nexusd, installation },
    /** The other agent writes. */
    post: (text: string) => server.post(sessionId, "peer", { text }),
    async start() {
      running = startDaemon(installation);
      await running.ready;
    },
    async kill() {
      await running?.end("SIGKILL");
    },
  };
}
