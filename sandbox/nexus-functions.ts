/** `/functions/v1` of the Nexus stand-in: agent-auth, agent-usage, and the platform's JWT check before every function. */

import type { SandboxClock } from "./clock.ts";
import { type HttpRequest, json, type Reply } from "./http.ts";
import { object } from "./input.ts";
import { type Action, openActions } from "./nexus-actions.ts";
import type { Database } from "./nexus-database.ts";
import { minuteLimit } from "./nexus-limits.ts";
import { openMcp } from "./nexus-mcp.ts";
import type { Tokens } from "./nexus-tokens.ts";

const exchangesPerMinute = 10;
const unlimited = -1;
const dailyCalls = 100_000;

export interface FunctionsContext {
  clock: SandboxClock;
  tokens: Tokens;
  tokenLifeS: number;
  organizationId: string;
  database: Database;
  /** Counts one of the organization's requests of this minute, or returns 429. */
  limit(organizationId: string): Reply | undefined;
  /** Requests with a token since the start. */
  calls(): number;
}

export interface Functions {
  handle(name: string, request: HttpRequest): Promise<Reply>;
  /** agent-auth calls so far, including refused ones. */
  exchanges(): number;
  /** What the functions with effects have done, oldest first. */
  actions(): Action[];
}

export function openFunctions(context: FunctionsContext): Functions {
  const exchangeLimit = minuteLimit(exchangesPerMinute, context.clock);
  let exchanges = 0;
  const actions = openActions(context);
  const mcp = openMcp(context);

  async function agentAuth(request: HttpRequest): Promise<Reply> {
    exchanges += 1;
    const refused = exchangeLimit(request.remoteAddress);
    if (refused !== undefined) return refused;
    const apiKey = readText(request.body, "api_key");
    if (apiKey === undefined) {
      return json(400, { error: "invalid_request", message: "api_key is required" });
    }
    const token = await context.tokens.exchange(apiKey);
    if (token === undefined) {
      return json(401, { error: "invalid_api_key", message: "Invalid or revoked API key" });
    }
    return json(200, {
      access_token: token,
      organization_id: context.organizationId,
      expires_in: context.tokenLifeS,
    });
  }

  async function agentUsage(): Promise<Reply> {
    const [counts] = await context.database.sql(
      `select (select count(*) from customers where organization_id = $1)::int as contacts,
              (select count(*) from orders where organization_id = $1)::int as orders`,
      [context.organizationId],
    );
    const calls = context.calls();
    return json(200, {
      organization_id: context.organizationId,
      plan: "scale",
      plan_name: "Scale",
      usage: {
        contacts: { used: counts?.contacts, limit: unlimited, remaining: unlimited, percentage: 0 },
        orders: { used: counts?.orders, limit: unlimited, remaining: unlimited, percentage: 0 },
        api_calls_today: {
          used: calls,
          limit: dailyCalls,
          remaining: Math.max(0, dailyCalls - calls),
          percentage: Math.round((calls / dailyCalls) * 100),
        },
      },
      upgrade_url: "https://nexus.example.com/billing",
      warnings: [],
    });
  }

  const routes: Record<string, { method: string; isPublic: boolean; run(r: HttpRequest): Promise<Reply> }> = {
    "agent-auth": { method: "POST", isPublic: true, run: agentAuth },
    "agent-usage": { method: "GET", isPublic: false, run: agentUsage },
    // It is unknown whether the real one refuses a GET or keeps it open.
    "mcp-server": { method: "POST", isPublic: false, run: mcp.handle },
    ...Object.fromEntries(
      Object.entries(actions.routes).map(([name, run]) => [name, { method: "POST", isPublic: false, run }]),
    ),
  };

  return {
    exchanges: () => exchanges,
    actions: () => [...actions.done(), ...mcp.done()],
    async handle(name, request) {
      const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
      if (route === undefined) {
        const headers = { "content-type": "text/plain; charset=utf-8", "sb-error-code": "NOT_FOUND" };
        return { status: 404, headers, body: "Function not found" };
      }
      const refused = route.isPublic ? undefined : checkJwt(request, context);
      if (refused !== undefined) return refused;
      if (request.method !== route.method) {
        return json(
          405,
          { error: "method_not_allowed", message: `Use ${route.method}` },
          { allow: route.method },
        );
      }
      return route.run(request);
    },
  };
}

/** The platform's own check: only here, `code` is a number. */
function checkJwt(request: HttpRequest, context: FunctionsContext): Reply | undefined {
  const authorization = request.header("authorization");
  if (authorization === undefined) {
    const headers = { "sb-error-code": "UNAUTHORIZED_NO_AUTH_HEADER" };
    return json(401, { code: 401, message: "Missing authorization header" }, headers);
  }
  const token = authorization.replace(/^bearer /i, "");
  if (context.tokens.judge(token, 0) === "valid") return context.limit(context.organizationId);
  const isJwt = token.split(".").length === 3;
  const headers = {
    "sb-error-code": isJwt ? "UNAUTHORIZED_LEGACY_JWT" : "UNAUTHORIZED_INVALID_JWT_FORMAT",
  };
  return json(401, { code: 401, message: "Invalid JWT" }, headers);
}

/** The field of a JSON body, if it is a string. */
function readText(body: string, name: string): string | undefined {
  try {
    const value = object(JSON.parse(body), "the body")[name];
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
