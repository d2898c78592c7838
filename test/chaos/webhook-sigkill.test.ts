// nexusd is killed while receivers have a request that they have not answered: it is sent again unchanged.

import { expect, test } from "vitest";
import { startMessaging } from "../../sandbox/messaging.ts";
import { install, type RunningDaemon, readLog, startDaemon, until } from "../support/daemon.ts";
import { serve, type TestServer } from "../support/http-server.ts";

const KILLS = 2;
const FORMATS = ["structured", "batch"];
const SECRET = `whsec_${Buffer.from("a made-up secret of a test, 32 b").toString("base64")}`;

const tableOf = (format: string, url: string) => `
[[sinks]]
name = "${format}"
kind = "webhook"
types = ["messaging.message.received"]
url = "${url}"
secret = { source = "env", id = "SECRET" }
format = "${format}"
batch_events = 4
`;

/** The ids of the events in the order of their first arrival; the same webhook-id always brings the same body. */
function idsSeen(requests: TestServer["requests"]): string[] {
  const bodies = new Map<unknown, string>();
  for (const { headers, body } of requests) {
    expect(bodies.get(headers["webhook-id"]) ?? body).toBe(body);
    bodies.set(headers["webhook-id"], body);
  }
  return [...bodies.values()].flatMap((body) => [JSON.parse(body)].flat().map(({ id }) => id));
}

// Each kill costs the first step of the ladder: nexusd cannot know whether the receiver hangs.
test("no event is lost or sent under two ids", { timeout: 300_000 }, async () => {
  const messaging = await startMessaging({ rateLimit: null });
  const session = messaging.createSession({ ttl: 3600 });
  let isHeld = false;
  const server = await serve((response) => {
    if (!isHeld) response.writeHead(204).end();
  });
  const sentAs = () => FORMATS.map((format) => server.requests.filter(({ url }) => url === `/${format}`));
  const installation = install(`
[messaging]
base_url = "${messaging.url}"
agent_id = "me"
requests_per_minute = 6000
[[messaging.sessions]]
id = "${session}"
[nex]\nenabled = false\n[nexus]\nenabled = false
${FORMATS.map((format) => tableOf(format, `${server.origin}/${format}`)).join("")}
`);
  let daemon: RunningDaemon | undefined;
  const start = async () => {
    daemon = startDaemon(installation, { SECRET });
    await daemon.ready;
  };
  let said = 0;
  const say = (count: number) => {
    for (let one = 0; one < count; one++) messaging.post(session, "peer", { text: `${++said}` });
  };
  const log = () => daemon?.log() ?? "";
  try {
    await start();
    for (let time = 0; time < KILLS; time++) {
      const before = sentAs().map(({ length }) => length);
      isHeld = true;
      say(3);
      await until(() => sentAs().every(({ length }, index) => length > (before[index] ?? 0)), log);
      await daemon?.end("SIGKILL");
      say(2);
      isHeld = false;
      await start();
      await until(() => sentAs().every((requests) => idsSeen(requests).length >= said), log, 120_000);
    }
    const events = await readLog(installation.agentSocket);
    const ids = events.filter(({ type }) => type.endsWith("message.received")).map(({ id }) => id);
    expect(ids).toHaveLength(said);
    for (const requests of sentAs()) {
      expect(idsSeen(requests)).toEqual(ids);
      const sent = new Set(requests.map(({ headers }) => headers["webhook-id"]));
      expect(requests.length).toBe(sent.size + KILLS);
    }
  } finally {
    await daemon?.end("SIGKILL");
    await messaging.close();
    installation.remove();
  }
});
