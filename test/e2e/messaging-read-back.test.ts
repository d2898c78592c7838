// Sends whose answer is lost, without polling: no other message is taken for the sent one.

import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";
import { createProposer } from "../support/proposer.ts";

let server: MessagingServer;
let installation: Installation;
let daemon: RunningDaemon;

const start = async () => {
  daemon = startDaemon(installation);
  await daemon.ready;
};

beforeAll(async () => {
  server = await startMessaging({ rateLimit: null });
  installation = install(`
[messaging]
base_url = "${server.url}"
agent_id = "me"
requests_per_minute = 6000
[nex]\nenabled = false\n[nexus]\nenabled = false
`);
  await start();
  await ask(installation.operatorSocket, "/v1/jobs/messaging-poll/pause", { method: "POST" });
});

afterEach(() => server.clearFaults());

afterAll(async () => {
  await daemon.end("SIGKILL");
  await server.close();
  installation.remove();
});

const { propose, ended: endOf } = createProposer(() => installation.agentSocket);
const ended = async (id: string) => {
  const { state, result } = await endOf(id);
  return { state, cursor: result.output?.cursor };
};
/** How the write ends, and the cursor of the message that it is said to have been. */
const write = async (operation: string, input: object) => ended(await propose(operation, input));

const enter = async () => {
  const session = server.createSession({});
  expect(await write("messaging.sessions.join", { session })).toMatchObject({ state: "succeeded" });
  return {
    propose: () => propose("messaging.messages.send", { session, text: "ok" }),
    send: () => write("messaging.messages.send", { session, text: "ok" }),
    post: `POST /v1/sessions/${session}/messages`,
    read: `GET /v1/sessions/${session}/messages`,
  };
};
const isUnknown = { state: "unknown" };
const isMessage = (cursor: string) => ({ state: "succeeded", cursor });

it("an earlier message with the same text is not taken for one that never arrived", async () => {
  const { send, post } = await enter();
  expect(await send()).toMatchObject(isMessage("1"));
  server.addFault({ kind: "drop", match: post });
  expect(await send()).toMatchObject(isUnknown);
});

it("a message that did arrive is found, and is not taken for a later one", async () => {
  const { send, post } = await enter();
  expect(await send()).toMatchObject(isMessage("1"));
  server.addFault({ kind: "drop", match: post, afterHandling: true });
  expect(await send()).toMatchObject(isMessage("2"));
  server.addFault({ kind: "drop", match: post });
  expect(await send()).toMatchObject(isUnknown);
});

it("a message that may have arrived is not taken for a later one, until one is answered", async () => {
  const { send, post, read } = await enter();
  server.addFault({ kind: "drop", match: post, afterHandling: true });
  server.addFault({ kind: "status", match: read, status: 403 });
  expect(await send()).toMatchObject(isUnknown);
  server.addFault({ kind: "drop", match: post });
  expect(await send()).toMatchObject(isUnknown);
  expect(await send()).toMatchObject(isMessage("2"));
  server.addFault({ kind: "drop", match: post, afterHandling: true });
  expect(await send()).toMatchObject(isMessage("3"));
});

it.each([
  ["never arrived", false, isUnknown],
  ["did arrive", true, isMessage("2")],
])("a SIGKILL before the answer does not change that: one that %s", async (_name, afterHandling, outcome) => {
  const { send, propose, post } = await enter();
  expect(await send()).toMatchObject(isMessage("1"));
  const posts = () => server.requests.filter(({ method, path }) => `${method} ${path}`.includes(post)).length;
  const before = posts();
  server.addFault({ kind: "stall", match: post, afterHandling });
  const id = await propose();
  await until(() => posts() > before, "the request");
  await daemon.end("SIGKILL");
  // The faults stay until the end of the test: a request that gets through may be executed.
  await start();
  expect(await ended(id)).toMatchObject(outcome);
});

it("a restarted server, whose cursors start over, is distinguished from a running one", async () => {
  const { send, post } = await enter();
  for (const cursor of ["1", "2"]) expect(await send()).toMatchObject(isMessage(cursor));
  server.forgetMessages();
  server.addFault({ kind: "drop", match: post, afterHandling: true });
  expect(await send()).toMatchObject(isUnknown);
  expect(await send()).toMatchObject(isMessage("2"));
  server.addFault({ kind: "drop", match: post });
  expect(await send()).toMatchObject(isUnknown);
});
