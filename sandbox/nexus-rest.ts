/** `/rest/v1` of the Nexus stand-in: Supabase's gateway in front of the real PostgREST. */

import { type HttpRequest, json, type Reply } from "./http.ts";
import type { Database } from "./nexus-database.ts";
import type { UpstreamAnswer } from "./nexus-postgrest.ts";
import type { Tokens } from "./nexus-tokens.ts";

/** How long PostgREST accepts an expired token. */
const leewayS = 30;

/** The request headers that PostgREST reads. */
const forwardedHeaders = [
  "accept",
  "accept-profile",
  "authorization",
  "content-profile",
  "content-type",
  "prefer",
  "range",
  "range-unit",
];

/** The gateway buffers, so it sets these itself on both sides. */
const hopHeaders = new Set(["connection", "content-length", "transfer-encoding"]);

export interface RestContext {
  anonKey: string;
  /** Which PostgREST version the answers look like; the real one is 12. */
  variant: "12" | "14";
  organizationId: string;
  tokens: Tokens;
  database: Database;
  limit(organizationId: string): Reply | undefined;
}

/** Answers a request for `path`, the part after `/rest/v1`. */
export async function handleRest(context: RestContext, path: string, request: HttpRequest): Promise<Reply> {
  const refused = checkApiKey(context, request);
  if (refused !== undefined) return refused;
  if (path === "" || path === "/") {
    return unauthorized(
      "UNAUTHORIZED_INVALID_API_KEY_TYPE",
      "Secret API key required",
      "Only secret API keys can be used for this endpoint.",
    );
  }

  const headers = Object.fromEntries(
    forwardedHeaders.flatMap((name) => {
      const value = request.header(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const token = headers.authorization?.replace(/^bearer /i, "");
  // supabase-js also sends its key as a bearer token when no user is signed in, and the gateway removes it.
  if (token === context.anonKey) delete headers.authorization;
  const verdict = token === undefined ? "foreign" : context.tokens.judge(token, leewayS);
  if (verdict !== "foreign") {
    const tooMany = context.limit(context.organizationId);
    if (tooMany !== undefined) return tooMany;
  }
  if (verdict === "expired") return dressed(context, expired());

  // Deleting re-encodes the whole query, so only if there is something to delete.
  if (request.url.searchParams.has("apikey")) request.url.searchParams.delete("apikey");
  let answer: UpstreamAnswer;
  try {
    answer = await context.database.rest(request.method, path + request.url.search, headers, request.body);
  } catch (error) {
    if (!context.database.isClosed()) console.error("sandbox: PostgREST does not answer", error);
    return unavailable();
  }
  return dressed(context, answer);
}

function checkApiKey(context: RestContext, request: HttpRequest): Reply | undefined {
  const apiKey = request.header("apikey") ?? request.url.searchParams.get("apikey") ?? undefined;
  if (apiKey === undefined) {
    return unauthorized(
      "UNAUTHORIZED_MISSING_API_KEY",
      "No API key found in request",
      "No `apikey` request header or url param was found.",
    );
  }
  if (apiKey === context.anonKey) return undefined;
  return unauthorized(
    "UNAUTHORIZED_INVALID_API_KEY",
    "Invalid API key",
    "Double check your Supabase `apikey`",
  );
}

function unauthorized(code: string, message: string, hint: string): Reply {
  return json(401, { message, hint }, { "sb-error-code": code });
}

/** PostgREST's answer, for tokens that have expired only by the sandbox's clock. */
function expired(): UpstreamAnswer {
  return {
    status: 401,
    rawHeaders: [
      ["Content-Type", "application/json; charset=utf-8"],
      ["WWW-Authenticate", 'Bearer error="invalid_token", error_description="JWT expired"'],
    ].flat(),
    body: JSON.stringify({ code: "PGRST301", details: null, hint: null, message: "JWT expired" }),
  };
}

/** PostgREST's own message while its database is unavailable. */
export function unavailable(): Reply {
  const message = "Could not query the database for the schema cache. Retrying.";
  return json(503, { code: "PGRST002", details: null, hint: null, message }, { "retry-after": "2" });
}

/** The answer as it leaves the gateway: unchanged except for the newer version's codes, if configured. */
function dressed(context: RestContext, upstream: UpstreamAnswer): Reply {
  const answer = context.variant === "14" ? asVersion14(upstream) : upstream;
  const headers: Record<string, string> = {};
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const [name = "", value = ""] = answer.rawHeaders.slice(i, i + 2);
    if (hopHeaders.has(name.toLowerCase())) continue;
    // PostgREST 12 sends Content-Type twice with PGRST116; another spelling is another key, and Node sends both.
    headers[name in headers ? name.toUpperCase() : name] = value;
  }
  return { status: answer.status, headers, body: answer.body };
}

function asVersion14(answer: UpstreamAnswer): UpstreamAnswer {
  const rawHeaders = answer.rawHeaders.map((text) =>
    text.startsWith("postgrest/12") ? "postgrest/14.12" : text,
  );
  if (answer.status < 400) return { ...answer, rawHeaders };
  let error: Record<string, unknown>;
  try {
    error = JSON.parse(answer.body);
  } catch {
    return { ...answer, rawHeaders };
  }
  if (error.code === "PGRST301" && error.message === "JWT expired") error.code = "PGRST303";
  if (error.code === "42P01") {
    const table = /"?([\w.]+)"? does not exist/.exec(String(error.message))?.[1];
    error.code = "PGRST205";
    error.message = `Could not find the table '${table}' in the schema cache`;
  }
  return {
    status: answer.status,
    rawHeaders: [...rawHeaders, "Proxy-Status", `PostgREST; error=${error.code}`],
    body: JSON.stringify(error),
  };
}
