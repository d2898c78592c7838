// 50 SIGKILLs of the real daemon at random moments, with three busy services being watched.

import { afterAll, beforeAll, expect, it } from "vitest";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type MessagingServer, startMessaging } from "../../sandbox/messaging.ts";
import { type NexServer, startNex } from "../../sandbox/nex.ts";
import { type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import {
  ask,
  type Installation,
  install,
  type RunningDaemon,
  readLog,
  type SeenEvent,
  startDaemon,
  until,
} from "../support/daemon.ts";

const KILLS = 50;
let messaging: MessagingServer;
let nex: NexServer;
let nexus: NexusServer;
let sessions: string[];
let installation: Installation;
let daemon: RunningDaemon;

beforeAll(async () => {
  messaging = await startMessaging({ rateLimit: null });
  nex = await startNex({ apiKey: SANDBOX_ENV.NEX_API_KEY });
  nexus = await startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
  });
  await nexus.ready;
  sessions = [1, 2, 3].map(() => messaging.createSession({ ttl: 86_400 }));
  installation = install(`
[messaging]
base_url = "${messaging.url}"
requests_per_minute = 6000
${sessions.map((id) => `[[messaging.sessions]]\nid = "${id}"`).join("\n")}
[nex]
base_url = "${nex.url}"
api_key = { source = "env", id = "NEX_API_KEY" }
[nexus]
base_url = "${nexus.url}"
api_key = { source = "env", id = "NEXUS_API_KEY" }
anon_key = { source = "env", id = "NEXUS_ANON_KEY" }
requests_per_minute = 6000
[jobs.nexus-low-stock]
schedule = "* * * * * *"
[jobs.nexus-pending-orders]
schedule = "* * * * * *"
`);
});

afterAll(async () => {
  daemon?.process.kill("SIGKILL");
  await Promise.all([messaging?.close(), nex?.close(), nexus?.close()]);
  installation?.remove();
});

const ofType = (events: SeenEvent[], type: string) =>
  events.filter((event) => event.type === `nexusd.${type}`);
const sorted = (values: Iterable<string>) => [...values].sort();

it("50 SIGKILLs lose nothing, repeat nothing and leave no gap in the log", { timeout: 300_000 }, async () => {
  const sent = { messages: new Map<string, string[]>(), insights: [] as string[], orders: [] as string[] };
  const life = new AbortController();
  const stock = await nexus.sql("select id from stock_balances where organization_id = $1", [
    nexus.organizationId,
  ]);

  const busy = (everyMs: number, act: (n: number) => unknown) =>
    (async () => {
      for (let n = 0; !life.signal.aborted; n++) {
        await act(n);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * everyMs * 2));
      }
    })();

  daemon = startDaemon(installation);
  await daemon.ready;
  await until(
    async () => ofType(await readLog(installation.agentSocket), "messaging.session.joined").length === 3,
    "joins",
  );
  await until(() => nex.streams() === 1, "the stream");
  const activities = [
    busy(30, (n) => {
      const session = sessions[n % sessions.length] ?? "";
      const { id } = messaging.post(session, "peer", { text: `message ${n}` });
      sent.messages.set(session, [...(sent.messages.get(session) ?? []), id]);
    }),
    busy(60, (n) => {
      const contents = Array.from({ length: 1 + (n % 3) }, (_, i) => `insight ${n}.${i}`);
      nex.emit(contents.map((content) => ({ type: "risk", content })));
      sent.insights.push(...contents);
    }),
    busy(150, (n) => {
      const row = stock[n % stock.length]?.id;
      return nexus.sql("update stock_balances set quantity = reserved_quantity + $1 where id = $2", [
        n % 26,
        row,
      ]);
    }),
    busy(300, async (n) => {
      const id = `0c000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
      await nexus.sql(
        "insert into orders (id, organization_id, order_number, order_status, total_amount) values ($1, $2, $3, 'pending', 10)",
        [id, nexus.organizationId, `C-${n}`],
      );
      sent.orders.push(id);
    }),
  ];

  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 1100));
    expect(await daemon.end("SIGKILL")).toBe("SIGKILL");
    daemon = startDaemon(installation);
  }
  life.abort();
  await Promise.all(activities);
  await daemon.ready;

  const lastOrder = sent.orders.at(-1);
  let missing = "";
  const events = await until(
    async () => {
      const log = await readLog(installation.agentSocket);
      const { jobs } = JSON.parse((await ask(installation.agentSocket, "/v1/status")).text);
      const messages =
        [...sent.messages.values()].flat().length - ofType(log, "messaging.message.received").length;
      const insights = sent.insights.length - ofType(log, "nex.insight.received").length;
      const hasOrder = ofType(log, "nexus.order.pending").some(({ data }) => data.orderId === lastOrder);
      missing = `${messages} messages, ${insights} insights, the last order: ${hasOrder}; ${JSON.stringify(jobs)}`;
      return messages <= 0 && insights <= 0 && hasOrder && log;
    },
    () => `everything that was sent: ${missing}`,
    60_000,
  );
  // One more reading of the stock after the last change.
  const quantities = await nexus.sql(
    "select s.id, i.sku, s.warehouse_id, s.available_quantity from stock_balances s join items i on i.id = s.item_id where s.organization_id = $1",
    [nexus.organizationId],
  );
  await until(async () => {
    const log = await readLog(installation.agentSocket);
    const low = lowItems(log);
    return quantities.every(({ sku, warehouse_id, available_quantity: quantity }) => {
      const isLow = low.has(`${sku} ${warehouse_id}`);
      return Number(quantity) < 10 ? isLow : Number(quantity) <= 12 || !isLow;
    });
  }, "the stock as it is");

  expect(events.map(({ sequence }) => Number(sequence))).toEqual(events.map((_, index) => index + 1));
  expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
  for (const session of sessions) {
    const seen = ofType(events, "messaging.message.received").filter(
      ({ data }) => data.sessionId === session,
    );
    expect(seen.map(({ data }) => data.messageId)).toEqual(sent.messages.get(session));
  }
  // The stream's insights do not wait for those that REST still has from before.
  const insights = ofType(events, "nex.insight.received").map(({ data }) => data.insight.content);
  expect(sorted(insights)).toEqual(sorted(sent.insights));
  const pending = ofType(events, "nexus.order.pending").filter(({ data }) =>
    data.orderNumber.startsWith("C-"),
  );
  expect(sorted(pending.map(({ data }) => data.orderId))).toEqual(sorted(sent.orders));
  expect(
    ofType(events, "nexus.order.advanced").filter(({ data }) => data.orderNumber.startsWith("C-")),
  ).toEqual([]);
  expectAlternatingEdges(events);
  expect(nex.maxConcurrentStreams()).toBe(1);
  expect(await daemon.end("SIGTERM")).toBe(0);
});

/** "sku warehouse" of everything that the log reports as low. */
function lowItems(events: SeenEvent[]): Set<string> {
  const low = new Set<string>();
  for (const { type, data } of events) {
    if (type === "nexusd.nexus.stock.low") low.add(`${data.sku} ${data.warehouseId}`);
    if (type === "nexusd.nexus.stock.recovered") low.delete(`${data.sku} ${data.warehouseId}`);
  }
  return low;
}

function expectAlternatingEdges(events: SeenEvent[]): void {
  const state = new Map<string, string>();
  for (const { type, data } of events) {
    if (!type.startsWith("nexusd.nexus.stock.")) continue;
    const item = `${data.sku} ${data.warehouseId}`;
    expect(type).not.toBe(state.get(item) ?? "nexusd.nexus.stock.recovered");
    state.set(item, type);
  }
}
