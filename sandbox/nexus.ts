/** A local stand-in for Nexus (`nexus.md`): real PostgREST on PGlite behind a gateway, and the agent functions. */

import { randomBytes } from "node:crypto";
import { type SandboxClock, systemClock } from "./clock.ts";
import { type HttpRequest, json, type Reply, type StandIn, startStandIn } from "./http.ts";
import { object, string } from "./input.ts";
import { type Row, startDatabase } from "./nexus-database.ts";
import { openFunctions } from "./nexus-functions.ts";
import { minuteLimit, tooMany } from "./nexus-limits.ts";
import { handleRest, unavailable } from "./nexus-rest.ts";
import { openTokens } from "./nexus-tokens.ts";

/** The organization of the agent key; the id of the seed's other one begins with `0b`. */
const organizationId = "0a000000-0000-4000-8000-000000000001";

export interface NexusOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  clock?: SandboxClock;
  /** The one agent key, `nxs_ak_…`. */
  apiKey: string;
  /** The `apikey` that `/rest/v1` requires. */
  anonKey: string;
  /** Lifetime of an access token; 3,600 by default. */
  tokenLifeS?: number;
  /** PostgREST's `db-max-rows`; 100 by default. */
  dbMaxRows?: number;
  /** Whether the tables contain a small shop, and rows of another organization; true by default. */
  seed?: boolean;
  /** Requests with a token in any 60 s; 100 by default, null for no limit. */
  rateLimit?: number | null;
  /** Which PostgREST version the error answers look like; "12", the real one, by default. */
  variant?: "12" | "14";
}

export interface NexusServer extends StandIn {
  organizationId: string;
  /**
   * Resolves when the database answers, and rejects with the reason if it cannot. The server listens before that;
   * requests for data, and `sql`, wait for it.
   */
  ready: Promise<void>;
  /** agent-auth calls so far, including refused ones. */
  exchanges(): number;
  /** Runs SQL as the superuser; without parameters it may be several statements; returns the rows of the last. */
  sql(text: string, params?: unknown[]): Promise<Row[]>;
  /** Later exchanges fail; existing tokens stay valid. */
  revokeKey(): void;
  /** Every token issued so far counts as expired. */
  expireTokens(): void;
}

export async function startNexus(options: NexusOptions): Promise<NexusServer> {
  const clock = options.clock ?? systemClock();
  const tokenLifeS = options.tokenLifeS ?? 3600;
  const jwtSecret = randomBytes(32).toString("hex");
  const tokens = openTokens({ clock, apiKey: options.apiKey, jwtSecret, organizationId, lifeS: tokenLifeS });
  const organizationLimit = minuteLimit(options.rateLimit === undefined ? 100 : options.rateLimit, clock);
  let calls = 0;
  const limit = (organization: string) => {
    calls += 1;
    return organizationLimit(organization);
  };

  function handle(request: HttpRequest): Reply | Promise<Reply> {
    const path = request.url.pathname;
    const rest = /^\/rest\/v1(\/.*)?$/.exec(path);
    if (rest !== null) return handleRest(restContext, rest[1] ?? "", request);
    const name = /^\/functions\/v1\/([^/]+)$/.exec(path)?.[1];
    if (name !== undefined) return functions.handle(name, request);
    if (path === "/_control/sql" && request.method === "POST") return controlSql(request);
    return json(404, { message: "no Route matched with those values" });
  }

  async function controlSql(request: HttpRequest): Promise<Reply> {
    try {
      const body = object(JSON.parse(request.body), "the control body");
      const params = Array.isArray(body.params) ? body.params : undefined;
      return json(200, { ok: true, result: await database.sql(string(body.sql, "sql"), params) });
    } catch (error) {
      return json(400, { error: "bad_control", message: error instanceof Error ? error.message : "" });
    }
  }

  // The server first: a port in use is reported before anything else starts.
  const server = await startStandIn({
    port: options.port ?? 0,
    clock,
    handle,
    errorReply: serviceError,
    controls: { revokeKey: tokens.revokeKey, expireTokens: tokens.expireAll },
    state: () => ({
      organizationId,
      exchanges: functions.exchanges(),
      actions: functions.actions(),
    }),
  });
  const database = startDatabase({
    jwtSecret,
    dbMaxRows: options.dbMaxRows ?? 100,
    seed: options.seed ?? true,
  });
  const functions = openFunctions({
    clock,
    tokens,
    tokenLifeS,
    organizationId,
    database,
    limit,
    calls: () => calls,
  });
  const restContext = {
    anonKey: options.anonKey,
    variant: options.variant ?? "12",
    organizationId,
    tokens,
    database,
    limit,
  };

  return {
    ...server,
    organizationId,
    ready: database.ready,
    exchanges: functions.exchanges,
    sql: database.sql,
    revokeKey: tokens.revokeKey,
    expireTokens: tokens.expireAll,
    async close() {
      await server.close();
      await database.close();
    },
  };
}

/** The error body of Nexus, or of the platform in front of it, for this status. */
function serviceError(status: number): Reply {
  switch (status) {
    case 401:
      return json(401, { code: 401, message: "Invalid JWT" });
    case 402:
      return json(402, { message: "Service for this project is restricted" });
    case 403:
      return json(403, { error: "insufficient_scope", message: "The API key lacks the scope for this" });
    case 429:
      return tooMany(30);
    case 503:
      return unavailable();
    case 540:
      return json(540, { message: "Project paused" });
    case 546: {
      const message = "Worker failed to respond due to a resource limit (please check logs)";
      return json(546, { code: "WORKER_LIMIT", message }, { "sb-error-code": "WORKER_LIMIT" });
    }
    default:
      return json(status, { message: "An invalid response was received from the upstream server" });
  }
}
