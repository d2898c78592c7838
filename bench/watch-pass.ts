// One side of bench/watch, in a separate process.
// `node bench/watch-pass.ts watch|bare ORIGIN DIRECTORY [changed]` prints one JSON line per pass.
// changed: one row of each page changes between two passes.

import { pino } from "pino";
import { systemClock as clock } from "../src/core/clock.ts";
import { createSteadyClock } from "../src/core/steady-clock.ts";
import { createRetry } from "../src/http/retry.ts";
import { createHttpClient } from "../src/http/transport.ts";
import { createTokenSource } from "../src/services/nexus/auth.ts";
import { createNexusClient } from "../src/services/nexus/client.ts";
import { withToken } from "../src/services/nexus/http.ts";
import { orderWatch } from "../src/services/nexus/orders.ts";
import { restPath } from "../src/services/nexus/query.ts";
import { stockWatch } from "../src/services/nexus/stock.ts";
import { runWatch } from "../src/services/nexus/watch-job.ts";
import { openStore } from "../src/store/sqlite/store.ts";

const PASSES = 6;
const [, , side, origin = "", directory = "", changed] = process.argv;

/** Fetches and parses every page, and does nothing else. */
async function bare(): Promise<void> {
  for (const table of ["stock_balances", "orders"]) {
    for (let after: { column: string; value: string }[] = []; ; ) {
      const path = restPath({ table, select: "*", filters: [], order: ["id"], after, limit: 1000 });
      const response = await fetch(`${origin}${path}`);
      // The shop returns rows that each have an id.
      const page = (await response.json()) as { id: string }[];
      const last = page.at(-1);
      if (!last) break;
      after = [{ column: "id", value: last.id }];
    }
  }
}

async function createPass(): Promise<() => Promise<void>> {
  const http = createHttpClient({
    service: "nexus",
    origin,
    clock,
    timeoutMs: 30_000,
    maxBytes: 64 * 1024 * 1024,
    userAgent: "bench",
    credential: async () => ({ apikey: "anon" }),
  });
  const tokens = createTokenSource({
    http,
    apiKey: () => "nxs_ak_bench",
    storage: { load: async () => undefined, save: async () => {} },
    clock,
    steady: createSteadyClock(clock),
    random: Math.random,
    onToken: () => {},
  });
  const nexus = createNexusClient({
    http: withToken(http, tokens),
    retry: createRetry({ clock, random: Math.random }),
    clock,
  });
  const context = {
    store: await openStore({ dataDir: directory, clock }),
    // The only service that the watches of Nexus use.
    services: { nexus } as Parameters<typeof runWatch>[0]["services"],
    clock,
    steady: createSteadyClock(clock),
    log: pino({ level: "silent" }),
    signal: new AbortController().signal,
    degraded: () => {},
  };
  const columns = {};
  return async () => {
    await runWatch(context, stockWatch, {
      threshold: 10,
      recover_above: 12,
      per_sku: {},
      min_stock_level: true,
      columns,
    });
    await runWatch(context, orderWatch, { status: "pending", overdue_after: 1e12, columns });
  };
}

const pass = side === "bare" ? bare : await createPass();
for (let n = 0; n < PASSES; n++) {
  if (changed) await fetch(`${origin}/change`);
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await pass();
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000, ms: performance.now() - startedAt }));
}
process.exit(0);
