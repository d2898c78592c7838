// An agent that asks for more than the server takes: people and polls come to their turn all the same.

import { expect, it, onTestFinished } from "vitest";
import { startMessaging } from "../../sandbox/messaging.ts";
import { ask, install, startDaemon, until } from "../support/daemon.ts";

it("30 parallel reads of an agent keep neither a person's read nor the polls from the budget", async () => {
  const server = await startMessaging({ rateLimit: null });
  onTestFinished(server.close);
  const id = server.createSession();
  // Of 24 that are not reserved, agents' reads would have had all, for a minute.
  const installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "me"
requests_per_minute = 30
reserve_per_minute = 6
[[messaging.sessions]]
id = "${id}"
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  onTestFinished(installation.remove);
  const daemon = startDaemon(installation);
  onTestFinished(async () => {
    await daemon.end("SIGKILL");
  });
  await daemon.ready;
  const polls = () => server.requests.filter(({ path }) => path.includes("/messages")).length;
  await until(async () => polls() > 0, "the first poll");

  const read = (socket: string) =>
    ask(socket, "/v1/reads", {
      method: "POST",
      body: { operation: "messaging.sessions.get", input: { session: id } },
    });
  const answered: { status: number; text: string }[] = [];
  for (let n = 0; n < 30; n++)
    read(installation.agentSocket).then(
      (answer) => answered.push(answer),
      () => {}, // those that still wait when the daemon ends
    );
  await until(async () => answered.length > 0, "the first answer to the agent");

  const { status, text } = await read(installation.operatorSocket);
  expect([status, JSON.parse(text).meta.waitedMs]).toEqual([200, 0]);
  const before = polls();
  await until(async () => polls() >= before + 2, "two more polls");
  expect(answered.length).toBeLessThanOrEqual(12);
  expect(answered.every((answer) => answer.status === 200)).toBe(true);
});
