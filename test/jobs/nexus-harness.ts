// Individual passes of a watch, over the real PostgREST and a real store, with a hook before each request.

import { pino } from "pino";
import { SANDBOX_ENV } from "../../sandbox/args.ts";
import { type NexusOptions, type NexusServer, startNexus } from "../../sandbox/nexus.ts";
import type { Store } from "../../src/contract/store.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createSteadyClock } from "../../src/core/steady-clock.ts";
import { createRetry } from "../../src/http/retry.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createTokenSource } from "../../src/services/nexus/auth.ts";
import { createNexusClient, type NexusClient } from "../../src/services/nexus/client.ts";
import { withToken } from "../../src/services/nexus/http.ts";
import type { Watch, WatchSettings } from "../../src/services/nexus/watch.ts";
import { runWatch } from "../../src/services/nexus/watch-job.ts";
import type { SeenEvent } from "../support/daemon.ts";
import { openTestStore } from "../support/store.ts";

export const TIMEOUT_MS = 30_000;

export const startShop = (options: Partial<NexusOptions> = {}): Promise<NexusServer> =>
  startNexus({
    apiKey: SANDBOX_ENV.NEXUS_API_KEY,
    anonKey: SANDBOX_ENV.NEXUS_ANON_KEY,
    rateLimit: null,
    ...options,
  });

/** The client as the daemon creates it, for a server with the sandbox's keys. */
export function connect(origin: string, clock: Clock = systemClock): NexusClient {
  const http = createHttpClient({
    service: "nexus",
    origin,
    clock,
    timeoutMs: TIMEOUT_MS,
    maxBytes: 1_000_000,
    userAgent: "test",
    credential: async () => ({ apikey: SANDBOX_ENV.NEXUS_ANON_KEY }),
  });
  let saved: string | undefined;
  const tokens = createTokenSource({
    http,
    apiKey: () => SANDBOX_ENV.NEXUS_API_KEY,
    storage: {
      load: async () => saved,
      save: async (json) => {
        saved = json;
      },
    },
    clock,
    steady: createSteadyClock(clock),
    random: () => 0,
    onToken: () => {},
  });
  return createNexusClient({
    http: withToken(http, tokens),
    retry: createRetry({ clock, random: () => 0, retries: 0 }),
    clock,
  });
}

/**
 * @param before runs before each request of a pass @param store the store of an earlier run, from which it continues
 */
export async function passesOf<Settings extends WatchSettings, State>(
  nexus: NexusClient,
  watch: Watch<Settings, State>,
  settings: Settings,
  before: () => Promise<void> | void = () => {},
  store?: Store,
) {
  store ??= await openTestStore();
  const spied: NexusClient = {
    ...nexus,
    // A test has more passes in a minute than a plan allows in a day.
    quota: { ...nexus.quota, admit: async () => {} },
    async read(...query) {
      await before();
      return await nexus.read(...query);
    },
    async readCounted(...query) {
      await before();
      return await nexus.readCounted(...query);
    },
    async readUnless(...query) {
      await before();
      return await nexus.readUnless(...query);
    },
  };
  let seen = (await store.readFigures()).latest;
  const context = {
    signal: new AbortController().signal,
    store,
    // The only service that a Nexus watch knows.
    services: { nexus: spied } as Parameters<typeof runWatch>[0]["services"],
    clock: systemClock,
    steady: createSteadyClock(systemClock),
    log: pino({ level: "silent" }),
    degraded: () => {},
  };
  return {
    store,
    records: async () => (await store.readRecords(watch.kind)).map(({ value }) => value),
    /** One pass, and the events that it logged. */
    async pass(): Promise<SeenEvent[]> {
      await runWatch(context, watch, settings);
      const { events, next } = await store.readEvents({ after: seen, limit: 10_000 });
      seen = next;
      return events.map(({ json }) => JSON.parse(json));
    },
  };
}
