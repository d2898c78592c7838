// NexusMessaging over HTTP: the requests of the protocol, one budget for each server.

import { z } from "zod";
import type { Clock } from "../../core/clock.ts";
import { readAnswer } from "../../http/answer.ts";
import type { HttpClient, HttpRequest } from "../../http/client.ts";
import type { HttpError } from "../../http/errors.ts";
import type { Histogram } from "../counts.ts";
import { createBoot, type ServerBoot } from "./membership/boot.ts";
import { createSessionChanges, type SessionChanges } from "./membership/changes.ts";
import type { SessionSet } from "./membership/sessions.ts";
import { type MessagePage, messagePage, parsePage } from "./reading/page.ts";

const time = z.string().nullish();

const joined = z.looseObject({ sessionKey: z.string().nullish(), expiresAt: time });
const renewed = z.looseObject({ ttl: z.number().nullish(), expiresAt: time });
const described = z.looseObject({
  ttl: z.number().nullish(),
  agents: z.array(z.unknown()).nullish(),
  creatorAgentId: z.string().nullish(),
});
const health = z.looseObject({ uptime: z.number().nullish() });

/** One NexusMessaging server. Every call throws HttpError; session ids are in no error. */
export interface MessagingServer {
  readonly baseUrl: string;
  join(sessionId: string, agentId: string): Promise<z.output<typeof joined>>;
  /** `after` null: from the start, the greeting included. Answers at once. */
  poll(
    sessionId: string,
    agentId: string,
    after: string | null,
    signal: AbortSignal,
    options?: { members?: boolean },
  ): Promise<MessagePage>;
  leave(sessionId: string, agentId: string, sessionKey: string): Promise<void>;
  renew(
    sessionId: string,
    agentId: string,
    ttlSeconds: number | null,
    signal: AbortSignal,
  ): Promise<z.output<typeof renewed>>;
  describe(sessionId: string, signal: AbortSignal): Promise<z.output<typeof described>>;
  /** `uptime` in seconds; it falls if the server restarted, which deletes its messages. */
  health(signal: AbortSignal): Promise<z.output<typeof health>>;
}

const SERVICE = "messaging";
const POLL = "GET /v1/sessions/:id/messages";

/** The requests of one server, on a client that already has its budget. */
function createMessagingServer(http: HttpClient, mostPageBytes: number | undefined): MessagingServer {
  const call = <T>(schema: z.ZodType<T>, request: HttpRequest): Promise<T> =>
    http
      .request(request)
      .then((response) => readAnswer(response, schema, { service: SERVICE, label: request.label }));
  const session = (sessionId: string, rest = "") => `/v1/sessions/${encodeURIComponent(sessionId)}${rest}`;

  return {
    baseUrl: http.origin,
    join: (sessionId, agentId) =>
      call(joined, {
        method: "POST",
        path: session(sessionId, "/join"),
        label: "POST /v1/sessions/:id/join",
        // Not from the reserve: hundreds of them would keep polls waiting for minutes.
        headers: { "x-agent-id": agentId },
      }),
    poll: (sessionId, agentId, after, signal, { members = false } = {}) =>
      http
        .request({
          method: "GET",
          path: session(sessionId, pollPath(after, members)),
          label: POLL,
          headers: { "x-agent-id": agentId },
          signal,
          // A page cannot be requested in parts: anything not read now would never be read.
          ...(mostPageBytes !== undefined && { maxBytes: mostPageBytes }),
        })
        .then((response) =>
          readAnswer({ status: response.status, json: () => parsePage(response) }, messagePage, {
            service: SERVICE,
            label: POLL,
          }),
        ),
    async leave(sessionId, agentId, sessionKey) {
      await http.request({
        method: "DELETE",
        path: session(sessionId, `/agents/${encodeURIComponent(agentId)}`),
        label: "DELETE /v1/sessions/:id/agents/:agentId",
        headers: { "x-agent-id": agentId, "x-session-key": sessionKey },
        priority: "renewals",
      });
    },
    renew: (sessionId, agentId, ttlSeconds, signal) =>
      call(renewed, {
        method: "POST",
        path: session(sessionId, "/renew"),
        label: "POST /v1/sessions/:id/renew",
        headers: { "x-agent-id": agentId },
        json: ttlSeconds === null ? {} : { ttl: ttlSeconds },
        priority: "renewals",
        signal,
      }),
    describe: (sessionId, signal) =>
      call(described, { method: "GET", path: session(sessionId), label: "GET /v1/sessions/:id", signal }),
    health: (signal) => call(health, { method: "GET", path: "/health", label: "GET /health", signal }),
  };
}

/** The greeting has cursor 0 and `after` is exclusive: only a poll without it brings the greeting. */
const pollPath = (after: string | null, members: boolean) => {
  if (after === null) return members ? "/messages?members=true" : "/messages";
  return `/messages?after=${after}${members ? "&members=true" : ""}`;
};

/** A 429 about one agent in one session, not about the budget of the server. */
export const isCooldown = ({ status, code }: HttpError): boolean =>
  status === 429 && code.toLowerCase() === "cooldown_active";

/** Up to the default of `max_staleness`, and far beyond it. */
export const POLL_GAP_BOUNDS = [1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 600];

/** The servers by origin, each created when first needed, and their sessions. */
export interface MessagingClient {
  readonly sessions: SessionSet;
  readonly changes: SessionChanges;
  /** Seconds between two polls of a session. */
  readonly pollGaps: Histogram;
  server(baseUrl: string): MessagingServer;
  /** For operations: the client behind `server`, with the same budget. */
  http(baseUrl: string): HttpClient;
  boot(baseUrl: string): ServerBoot;
  /** Applies the configuration to the sessions as another node has left them. */
  takeOver?(): Promise<void>;
}

export function createMessagingClient(
  makeHttp: (baseUrl: string) => HttpClient,
  sessions: SessionSet,
  pollGaps: Histogram,
  clock: Clock,
  changes = createSessionChanges(() => sessions),
  mostPageBytes?: number,
): MessagingClient {
  const servers = new Map<string, { http: HttpClient; server: MessagingServer; boot: ServerBoot }>();
  const entry = (baseUrl: string) => {
    const known = servers.get(baseUrl);
    if (known) return known;
    const http = makeHttp(baseUrl);
    const made = {
      http,
      server: createMessagingServer(http, mostPageBytes),
      boot: createBoot(clock),
    };
    servers.set(baseUrl, made);
    return made;
  };
  return {
    sessions,
    changes,
    pollGaps,
    server: (baseUrl) => entry(baseUrl).server,
    http: (baseUrl) => entry(baseUrl).http,
    boot: (baseUrl) => entry(baseUrl).boot,
  };
}
