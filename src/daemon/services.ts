// Puts the clients of the three services together: origin, credential, budget and deadline of each.

import type { Config } from "../config/schema.ts";
import type { ResolvedSecrets, Secret } from "../config/secrets.ts";
import type { Store } from "../contract/store.ts";
import type { BudgetFigures } from "../control/metrics/metric.ts";
import type { Clock } from "../core/clock.ts";
import type { Redactor } from "../core/redaction.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import type { Budgets } from "../http/budgets.ts";
import type { Retry } from "../http/client.ts";
import { createDispatcher } from "../http/dispatcher.ts";
import type { RequestOutcome } from "../http/outcome.ts";
import { createRetry } from "../http/retry.ts";
import { createRoom, type Room } from "../http/room.ts";
import { createHttpClient, type HttpClientOptions } from "../http/transport.ts";
import type { Counts } from "../services/counts.ts";
import type { ServiceName } from "../services/list.ts";
import type { SessionChanges } from "../services/messaging/changes.ts";
import { createMessagingClient, isCooldown } from "../services/messaging/client.ts";
import { createSessionSet, pollPaceMs } from "../services/messaging/sessions.ts";
import { createNexClient } from "../services/nex/client.ts";
import { TEXTS_PER_MINUTE } from "../services/nex/limits.ts";
import { createTokenSource, EXCHANGE_PATH } from "../services/nexus/auth.ts";
import { createNexusClient } from "../services/nexus/client.ts";
import { withToken } from "../services/nexus/http.ts";
import { createMcpConnection } from "../services/nexus/mcp/connection.ts";
import type { TokenStorage } from "../services/nexus/saved-token.ts";
import type { Services } from "../services/services.ts";

const MESSAGING_TIMEOUT_MS = 20_000;
const NEXUS_TIMEOUT_MS = 30_000;
const TOKEN = "nexus.token";
/** Requests of NexusMessaging by which an agent enters a session, and gets its key. */
const ENTRY = /^\/v1\/(?:sessions|sessions\/[^/]+\/join|pair\/[^/]+\/claim)$/;

export interface ServicesOptions {
  config: Config;
  secrets: ResolvedSecrets;
  store: Store;
  clock: Clock;
  steady: Pick<SteadyClock, "ageOf">;
  random: () => number;
  version: string;
  /** Told of every token, and takes what it knows out of what the services answer. */
  redactor: Pick<Redactor, "addPassing" | "hide" | "isFree" | "scrub">;
  /** Kept over a reload, since the servers' windows are not reset by it. */
  budgets: Budgets;
  /** Kept over a reload as well. */
  counts: Counts;
  /** Over a reload too: what is under way then belongs to the sessions that come after it. Left out: new ones. */
  changes?: SessionChanges;
  /** Told that there is a token for Nexus after a time in which it could not be reached for one. */
  onNexusBack?: () => void;
  /** From then on nothing is sent but what somebody asks for: others have come in the place of these, or nobody. */
  signal?: AbortSignal;
}

export interface Built {
  services: Services;
  retry: Retry;
  /** The organization of the Nexus key, which may have to be exchanged for it. @throws HttpError */
  organizationId: () => Promise<string>;
}

export function createServices(options: ServicesOptions): Built {
  const { config, secrets, store, clock, random, budgets, counts, redactor } = options;
  const retry = createRetry({ clock, random });
  const dispatcher = createDispatcher({ connections: 32 });
  const common = {
    clock,
    dispatcher,
    userAgent: `nexusd/${options.version}`,
    maxBytes: config.limits.service_answer_bytes,
    scrub: redactor.scrub,
    hide: redactor.hide,
    isFree: redactor.isFree,
  };

  const room = createRoom(config.limits.service_answers_bytes);

  const client = (own: { service: ServiceName } & Omit<HttpClientOptions, keyof typeof common | "room">) => {
    const requests = counts.requests[own.service];
    const count = (outcome: RequestOutcome) => {
      requests[outcome] += 1;
    };
    // A server that answers much and slowly is not to hold up the others for more than one of its answers.
    const ownRoom: Room = { open: (most) => room.open(most, own.origin) };
    return createHttpClient({ ...common, ...own, room: ownRoom, count });
  };

  const { messaging, nex, nexus } = config;
  const nexusHttp = client({
    service: "nexus",
    origin: nexus.base_url,
    timeoutMs: NEXUS_TIMEOUT_MS,
    // The watches leave a fifth to what people and agents write.
    budget: budgets.of(
      nexus.base_url,
      { limit: nexus.requests_per_minute, reserve: Math.floor(nexus.requests_per_minute / 5) },
      "nexus",
    ),
    broughtBy: ({ path }) => (path === EXCHANGE_PATH ? "access_token" : undefined),
    credential: async () => ({ apikey: reveal(secrets.nexus?.anon_key, "nexus.anon_key") }),
  });
  const tokens = createTokenSource({
    http: nexusHttp,
    apiKey: () => reveal(secrets.nexus?.api_key, "nexus.api_key"),
    storage: tokenStorage(store),
    ...{ clock, steady: options.steady, random },
    onToken: redactor.addPassing,
    ...(options.onNexusBack && { onBack: options.onNexusBack }),
    ...(options.signal && { signal: options.signal }),
  });

  const authorized = withToken(nexusHttp, tokens);

  const services: Services = {
    messaging: createMessagingClient(
      (origin) =>
        client({
          service: "messaging",
          origin,
          isRateLimit: (error) => !isCooldown(error),
          broughtBy: ({ method, path }) => (method !== "GET" && ENTRY.test(path) ? "sessionKey" : undefined),
          timeoutMs: MESSAGING_TIMEOUT_MS,
          budget: budgets.of(
            origin,
            { limit: messaging.requests_per_minute, reserve: messaging.reserve_per_minute },
            "messaging",
          ),
        }),
      createSessionSet({
        clock,
        paceMs: pollPaceMs(messaging),
        maxStalenessMs: messaging.max_staleness,
      }),
      counts.pollGaps,
      clock,
      options.changes,
      Math.max(config.limits.service_answer_bytes, config.limits.service_answers_bytes),
    ),
    nex: createNexClient({
      http: client({
        service: "nex",
        origin: nex.base_url,
        timeoutMs: nex.timeout,
        credential: async () => ({ authorization: `Bearer ${reveal(secrets.nex?.api_key, "nex.api_key")}` }),
      }),
      clock,
      texts: budgets.of(textsBudget(nex.base_url), { limit: TEXTS_PER_MINUTE, reserve: 0 }, "nex"),
      delays: counts.insightDelays,
      random,
      idleTimeoutMs: nex.keepalive_timeout,
      timeoutMs: nex.timeout,
    }),
    nexus: createNexusClient({ http: authorized, retry, clock }),
    nexusMcp: nexus.mcp
      ? createMcpConnection({ http: authorized, clock, version: options.version, hide: redactor.hide })
      : undefined,
  };
  return { services, retry, organizationId: tokens.organizationId };
}

/** The texts that Nex takes in a minute; its other requests have no budget. */
const TEXTS = " texts";
const textsBudget = (origin: string) => `${origin}${TEXTS}`;

/** The budgets as they stand, each with its server. */
export const budgetFigures = (budgets: Budgets): BudgetFigures[] =>
  budgets.list().map(({ origin, service, budget }) => ({
    service,
    server: origin.endsWith(TEXTS) ? origin.slice(0, -TEXTS.length) : origin,
    limit: budget.limit,
    reserve: budget.reserve,
    used: budget.used(),
    waiting: budget.waiting,
    quietMs: budget.quietMs(),
    shares: budget.shares(),
  }));

const reveal = (secret: Secret | undefined, path: string): string => {
  // Loading the configuration resolves what an enabled service needs.
  if (!secret) throw new Error(`${path} is not resolved`);
  return secret.reveal();
};

const tokenStorage = (store: Store): TokenStorage => ({
  load: () => store.readSecret(TOKEN),
  save: async (json) => {
    await store.commitObservation({ source: TOKEN, secrets: [{ name: TOKEN, value: json }] });
  },
});
