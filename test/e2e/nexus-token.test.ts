// The whole daemon against a Nexus that cannot be reached for a token, or whose tokens become valid only later.

import { createServer, type Server } from "node:http";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, expect, it } from "vitest";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  startDaemon,
  until,
} from "../support/daemon.ts";

const CHAT = "0c000000-0000-4000-8000-000000000001";
const SECOND = 1000;

let cleanUp: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanUp.reverse()) await step();
  cleanUp = [];
});

interface Seen {
  at: number;
  method: string;
  path: string;
  status: number;
}

/** A Nexus with one open chat. */
async function openShop() {
  const seen: Seen[] = [];
  const sent: string[] = [];
  const shop = {
    seen,
    /** The messages that went out. */
    sent,
    port: 0,
    /** How far the clock that stamps tokens is ahead of the one that checks them. */
    aheadMs: 0,
    /** Requests to these paths find their token expired, once each. */
    expireAt: [] as string[],
    listen: (): Promise<void> =>
      new Promise((resolve) => {
        server = createServer(answer).listen(shop.port, "127.0.0.1", () => {
          const address = server?.address();
          if (typeof address === "object" && address) shop.port = address.port;
          resolve();
        });
      }),
    /** From then on connections are refused. */
    async close() {
      const closed = new Promise((resolve) => server?.close(resolve));
      server?.closeAllConnections();
      await closed;
    },
  };
  let server: Server | undefined;
  const validFrom = new Map<string, number>();
  let expired = "";
  const judge = (token: string, path: string): [number, unknown] | undefined => {
    const at = shop.expireAt.findIndex((part) => path.includes(part));
    if (at >= 0) {
      shop.expireAt.splice(at, 1);
      expired = token;
    }
    if (token === expired) return [401, { code: "PGRST301", message: "JWT expired" }];
    if (Date.now() >= (validFrom.get(token) ?? Number.POSITIVE_INFINITY)) return undefined;
    return [401, { code: "PGRST303", message: "JWT issued at future" }];
  };
  const answer: Parameters<typeof createServer>[1] = async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const { method = "", url: path = "" } = request;
    const [status, value] = ((): [number, unknown] => {
      if (path.endsWith("/agent-auth")) {
        const token = `token-${validFrom.size}-${Date.now()}`;
        validFrom.set(token, Date.now() + shop.aheadMs);
        return [200, { access_token: token, organization_id: "org-1", expires_in: 3600 }];
      }
      const refused = judge(String(request.headers.authorization).replace("Bearer ", ""), path);
      if (refused) return refused;
      if (path.includes("/chats?"))
        return [200, [{ id: CHAT, platform: "whatsapp", contact_name: "Noura", contact_phone: "+96650" }]];
      if (!path.includes("whatsapp-send-message")) return [200, []];
      sent.push(JSON.parse(body).message);
      return [200, { success: true }];
    })();
    seen.push({ at: performance.now(), method, path, status });
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  await shop.listen();
  cleanUp.push(() => shop.close());
  return shop;
}

async function start(installation: Installation): Promise<RunningDaemon> {
  const daemon = startDaemon(installation);
  cleanUp.push(async () => void (await daemon.end("SIGKILL")));
  await daemon.ready;
  return daemon;
}

const installFor = (port: number, more = ""): Installation => {
  const installation = install(`
[messaging]\nenabled = false\n[nex]\nenabled = false
[nexus]\nbase_url = "http://127.0.0.1:${port}"\nmcp = false
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
${more}`);
  cleanUp.push(() => installation.remove());
  return installation;
};

const post = async (socket: string, path: string, body: unknown) => {
  const { status, text } = await ask(socket, path, { method: "POST", body });
  if (status > 299) throw new Error(text);
  return JSON.parse(text);
};
const propose = (installation: Installation) =>
  post(installation.agentSocket, "/v1/writes", {
    operation: "nexus.whatsapp.send_message",
    input: { chatId: CHAT, message: "Your order is on its way." },
  });
const approve = (installation: Installation, { id, digest }: { id: string; digest: string }) =>
  post(installation.operatorSocket, `/v1/writes/${id}/approve`, { digest });
const settled = (installation: Installation, id: string) =>
  until(async () => {
    const write = JSON.parse((await ask(installation.agentSocket, `/v1/writes/${id}`)).text);
    return ["succeeded", "failed", "unknown"].includes(write.state) && write;
  }, "the end of the write");

it("after 12 s of refused connections a token arrives within 5 s, and waiting requests continue at once", async () => {
  const shop = await openShop();
  const installation = installFor(shop.port);
  const first = await start(installation);
  const write = await propose(installation);
  await first.end("SIGTERM");
  await shop.close();
  const database = new Database(join(installation.dataDir, "nexusd.db"));
  database.exec("DELETE FROM secrets WHERE name = 'nexus.token'");
  // Both watches have a pass to catch up on.
  database.exec("DELETE FROM cursors WHERE source LIKE 'job:nexus-%'");
  database.close();

  await start(installation);
  await approve(installation, write);
  await new Promise((resolve) => setTimeout(resolve, 12 * SECOND));
  shop.seen.length = 0;
  const back = performance.now();
  await shop.listen();
  expect((await settled(installation, write.id)).state).toBe("succeeded");
  const passes = () => ["/rest/v1/stock_balances", "/rest/v1/orders"].map((part) => firstOf(shop.seen, part));
  await until(() => passes().every((at) => at !== undefined), "a pass of each watch");
  expect((firstOf(shop.seen, "/agent-auth") ?? Number.NaN) - back).toBeLessThan(5 * SECOND);
  // A delay inside a pass, at most four seconds, is not shortened.
  for (const at of [...passes(), firstOf(shop.seen, "whatsapp-send-message")])
    expect((at ?? Number.NaN) - back).toBeLessThan(10 * SECOND);
  expect(shop.seen.filter(({ path }) => path.endsWith("/agent-auth"))).toHaveLength(1);
  expect(shop.sent).toHaveLength(1);
});

it.each(["/chats?", "whatsapp-send-message"])(
  "an approved write whose token is issued 5 s in the future, noticed at %s, succeeds and is sent once",
  async (path) => {
    const shop = await openShop();
    const installation = installFor(
      shop.port,
      "[jobs.nexus-low-stock]\nenabled = false\n[jobs.nexus-pending-orders]\nenabled = false\n",
    );
    await start(installation);
    const write = await propose(installation);
    shop.aheadMs = 5 * SECOND;
    shop.expireAt.push(path);
    const before = performance.now();
    await approve(installation, write);
    const { state, result } = await settled(installation, write.id);
    expect({ state, result }).toMatchObject({ state: "succeeded" });
    expect(shop.sent).toEqual(["Your order is on its way."]);
    expect(performance.now() - before).toBeGreaterThan(4 * SECOND);
    expect(shop.seen.filter(({ path }) => path.endsWith("/agent-auth"))).toHaveLength(2);
    expect(shop.seen.some(({ status }) => status === 401)).toBe(true);
  },
);

const firstOf = (seen: readonly Seen[], part: string): number | undefined =>
  seen.find(({ path, status }) => path.includes(part) && status === 200)?.at;
