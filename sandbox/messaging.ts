/** A local stand-in for NexusMessaging (`messaging.md`): its requests, errors, limits and forgetfulness. */

import { randomUUID } from "node:crypto";
import { type SandboxClock, systemClock } from "./clock.ts";
import { type HttpRequest, json, type Reply, type StandIn, startStandIn } from "./http.ts";
import { number, object, optional, string } from "./input.ts";
import { errorReply } from "./messaging-input.ts";
import { openPairings } from "./messaging-pairing.ts";
import { routeMessaging } from "./messaging-routes.ts";
import { type MessageContent, type NewSession, openSessions, type Session } from "./messaging-sessions.ts";

export interface MessagingOptions {
  /** 0, the default, takes any free port. */
  port?: number;
  clock?: SandboxClock;
  /** Requests from one address in any 60 s; 100 by default, null for no limit. */
  rateLimit?: number | null;
  /** Whether `/health` lists the message formats and messages may carry `json`; true by default. */
  reportsCapabilities?: boolean;
  /** Members (except the creator) that are silent for longer are removed; never by default. */
  inactivityMs?: number;
  /** `nextCursor` of a page without messages: the session's latest cursor (default), or `after` repeated. */
  emptyPageCursor?: "latest" | "echo";
}

export interface MessagingServer extends StandIn {
  /** Returns the session's id. */
  createSession(session?: NewSession): string;
  /** Writes as an agent, which joins implicitly unless it is `system`. Throws if the session is gone or full. */
  post(sessionId: string, agentId: string, content: MessageContent): { id: string; cursor: string };
  /** A server restart: messages gone, cursors and uptime restart, sessions and members stay. */
  forgetMessages(): void;
  removeAgent(sessionId: string, agentId: string): void;
  expireSession(sessionId: string): void;
  /** Sets the cursor of the session's next message, as a decimal string. */
  setNextCursor(sessionId: string, cursor: string): void;
}

export async function startMessaging(options: MessagingOptions = {}): Promise<MessagingServer> {
  const clock = options.clock ?? systemClock();
  const sessions = openSessions(clock, options.inactivityMs);
  const limiter = options.rateLimit === null ? undefined : slidingWindow(clock, options.rateLimit ?? 100);
  const context = {
    sessions,
    pairings: openPairings(clock),
    serverUrl: () => server.url,
    reportsCapabilities: options.reportsCapabilities ?? true,
    emptyPageCursor: options.emptyPageCursor ?? "latest",
  };

  function living(id: string): Session {
    const session = sessions.find(id);
    if (session === undefined) throw new Error("no such session");
    return session;
  }

  const actions = {
    createSession: (session: NewSession = {}) => sessions.create(session).id,
    post(sessionId: string, agentId: string, content: MessageContent) {
      const session = living(sessionId);
      if (agentId !== "system" && sessions.join(session, agentId).kind === "full") {
        throw new Error("the session is full");
      }
      const { id, cursor } = sessions.append(session, agentId, content, true);
      return { id, cursor };
    },
    forgetMessages: () => sessions.forgetMessages(),
    removeAgent(sessionId: string, agentId: string) {
      living(sessionId).members.delete(agentId);
    },
    expireSession(sessionId: string) {
      sessions.expire(sessionId);
    },
    setNextCursor(sessionId: string, cursor: string) {
      living(sessionId).nextCursor = BigInt(cursor);
    },
  };

  function handle(request: HttpRequest): Reply {
    const waitMs = limiter?.(request.remoteAddress) ?? 0;
    if (waitMs === 0) return routeMessaging(context, request);
    const refused = serviceError(429);
    return { ...refused, headers: { ...refused.headers, "retry-after": String(Math.ceil(waitMs / 1000)) } };
  }

  const server = await startStandIn({
    port: options.port ?? 0,
    clock,
    handle,
    errorReply: serviceError,
    controls: {
      createSession: (value) => actions.createSession(newSession(object(value, "createSession"))),
      post(value) {
        const { sessionId, agentId, text, json: content } = object(value, "post");
        return actions.post(string(sessionId, "post.sessionId"), string(agentId, "post.agentId"), {
          text: optional(text, "post.text", string),
          json: content,
        });
      },
      forgetMessages: actions.forgetMessages,
      removeAgent(value) {
        const { sessionId, agentId } = object(value, "removeAgent");
        actions.removeAgent(string(sessionId, "sessionId"), string(agentId, "agentId"));
      },
      expireSession: (value) => actions.expireSession(string(value, "expireSession")),
      setNextCursor(value) {
        const { sessionId, cursor } = object(value, "setNextCursor");
        actions.setNextCursor(string(sessionId, "sessionId"), string(cursor, "cursor"));
      },
    },
    state: () => ({
      uptime: sessions.uptimeSeconds(),
      sessions: sessions.all().map((session) => ({
        id: session.id,
        agents: [...session.members.keys()],
        messages: session.messages.length,
        nextCursor: String(session.nextCursor),
        expiresAt: new Date(session.expiresAt).toISOString(),
      })),
    }),
  });
  return { ...server, ...actions };
}

function newSession(value: Record<string, unknown>): NewSession {
  return {
    id: optional(value.id, "id", string),
    ttl: optional(value.ttl, "ttl", number),
    maxAgents: optional(value.maxAgents, "maxAgents", number),
    greeting: optional(value.greeting, "greeting", string),
    creatorAgentId: optional(value.creatorAgentId, "creatorAgentId", string),
  };
}

function serviceError(status: number): Reply {
  if (status === 429) {
    return errorReply(429, "rate_limit_exceeded", "Too many requests from this address");
  }
  if (status === 500) {
    return json(
      500,
      { error: "internal_error", message: "Internal server error" },
      { "x-request-id": randomUUID() },
    );
  }
  return errorReply(status, "error", `HTTP ${status}`);
}

/** Counts a request from an address, or returns for how many more milliseconds it is refused. Refusals do not count. */
function slidingWindow(clock: SandboxClock, limit: number): (address: string) => number {
  const windowMs = 60_000;
  const served = new Map<string, number[]>();
  return (address) => {
    const now = clock.now();
    const recent = (served.get(address) ?? []).filter((at) => now - at < windowMs);
    served.set(address, recent);
    const [oldest = now] = recent;
    if (recent.length >= limit) return oldest + windowMs - now;
    recent.push(now);
    return 0;
  };
}
