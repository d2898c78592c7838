// Nex at run time: one origin, one key.

import type { z } from "zod";
import nexFollow from "../../../jobs/nex-follow.ts";
import nexInsights from "../../../jobs/nex-insights.ts";
import nexNotifications from "../../../jobs/nex-notifications.ts";
import { isoTime } from "../../core/clock.ts";
import { createHistogram } from "../counts.ts";
import { type Base, KEEPS_NOTHING, type RunningService, type ServiceCode } from "../module.ts";
import type { Operation } from "../operation.ts";
import { assertOrigin, sendBy } from "../send.ts";
import { createNexClient, INSIGHT_DELAY_BOUNDS, type NexClient } from "./client.ts";
import type { nexSettings } from "./config.ts";
import { TEXTS_PER_MINUTE } from "./limits.ts";
import { nexMetrics } from "./metrics.ts";
import { API_KEY } from "./operation.ts";
import { nexOperations } from "./operations.ts";
import { nexRoutes } from "./routes.ts";

type Settings = z.output<typeof nexSettings>;

/** The texts that Nex accepts in a minute; its other requests have no budget. */
const TEXTS = " texts";

function start({ store, clock, random }: Base): RunningService<Settings, NexClient> {
  const delays = createHistogram(INSIGHT_DELAY_BOUNDS);
  let client: NexClient;
  let origin: string;
  let isEnabled = false;
  return {
    ...KEEPS_NOTHING,
    connect({ settings, secret, http, budget }) {
      origin = settings.base_url;
      isEnabled = settings.enabled;
      client = createNexClient({
        http: http({
          origin,
          timeoutMs: settings.timeout,
          credential: async () => ({ authorization: `Bearer ${secret("api_key")}` }),
        }),
        ...{ clock, random, delays },
        // The limit of a key, whichever node uses it.
        texts: budget(`${origin}${TEXTS}`, { limit: TEXTS_PER_MINUTE, reserve: 0 }),
        idleTimeoutMs: settings.keepalive_timeout,
        timeoutMs: settings.timeout,
      });
      return client;
    },
    facts: async () => ({ origin }),
    async send(request, sending) {
      assertOrigin(request, client.http.origin, API_KEY.kind);
      return await sendBy(client.http, request, sending);
    },
    describe: () => ({ stream: isEnabled ? { ...client.status } : null }),
    line: (state) => `Nex ${state === "down" ? state : client.status.state}`,
    routes: nexRoutes(store),
    delays: { insights: delays },
    metrics: nexMetrics(() => (isEnabled ? client.status : null), delays),
  };
}

export const service: ServiceCode<Settings, NexClient> = {
  operations: nexOperations.map((operation) => operation as Operation),
  jobs: [nexFollow, nexInsights, nexNotifications],
  async forget({ config, store, steady, log }) {
    const { keep_insights } = config.jobs.retention;
    if (keep_insights === undefined) return;
    const forgotten = await store.forgetSearchable(isoTime(steady.before(keep_insights)));
    if (forgotten.removed > 0) log.info(forgotten, "removed old insights");
  },
  start,
};
