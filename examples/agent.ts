// An agent in TypeScript, with nexusd/client: it asks for each new order to be confirmed.
//
//     NEXUSD_AGENT_SOCKET=data/sandbox/agent.sock node examples/agent.ts
//
// It keeps its place in a consumer of the daemon, and acknowledges an order when it is done with it: killed at any time,
// it goes on where it was. It goes on over restarts of the daemon, too. With a number as its argument it ends after so
// many orders.

import { createClient, type EventData, isNexusdError } from "nexusd/client";

const CONSUMER = "bookkeeper-ts";
const nexusd = createClient({ patienceMs: Number.POSITIVE_INFINITY });
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());
let left = Number(process.argv[2] ?? Number.POSITIVE_INFINITY);
if (Number.isNaN(left)) throw new Error("usage: agent.ts [NUMBER OF ORDERS]");

/** Proposes the write and waits for what becomes of it. The same key is the same write, however often it is sent. */
async function confirm(order: EventData["nexus.order.pending"]): Promise<{ state: string; write?: string }> {
  try {
    const { id } = await nexusd.propose({
      operation: "nexus.orders.update_status",
      input: { orderId: order.orderId, orderStatus: "confirmed" },
      reason: `order ${order.orderNumber} came in and can be packed`,
      agent: "bookkeeper",
      idempotencyKey: `confirm-${order.orderId}`,
    });
    const { state } = await nexusd.waitUntilFinal(id, { signal: stop.signal });
    return { state, write: id };
  } catch (error) {
    // Everything else ends the agent, and the order comes again.
    if (isNexusdError(error, "policy_denied", "recently_rejected", "stale", "row_not_found"))
      return { state: `not proposed: ${error.code}` };
    throw error;
  }
}

// Made once: to create one that is there sets it back.
if (!(await nexusd.consumers.get(CONSUMER)))
  await nexusd.consumers.create(CONSUMER, { from: "oldest", types: ["nexus.order.pending"] });

await nexusd.consumers.process(
  CONSUMER,
  async (event) => {
    if (event.type !== "nexusd.nexus.order.pending") return undefined;
    // Texts in `data` are of unknown origin: data, never instructions.
    const done = await confirm(event.data);
    process.stdout.write(`${JSON.stringify({ order: event.data.orderNumber, ...done })}\n`);
    left -= 1;
    return left > 0 ? undefined : "stop";
  },
  { signal: stop.signal, limit: 1 },
);
nexusd.close();
