/** The routes of the NexusMessaging stand-in: permissions, and the error of each refusal. */

import { type HttpRequest, json, type Reply } from "./http.ts";
import {
  agentIdField,
  agentIdOf,
  errorReply,
  integerField,
  invalid,
  Refusal,
  readBody,
  stringField,
} from "./messaging-input.ts";
import { type openPairings, type Pairing, pairingSkill } from "./messaging-pairing.ts";
import { agentLimit, maxTtlSeconds, type Session, type Sessions } from "./messaging-sessions.ts";

export interface RouteContext {
  sessions: Sessions;
  pairings: ReturnType<typeof openPairings>;
  serverUrl(): string;
  reportsCapabilities: boolean;
  emptyPageCursor: "latest" | "echo";
}

type Route = (context: RouteContext, request: HttpRequest, id: string, agentId: string) => Reply;

const routes: [method: string, path: RegExp, route: Route][] = [
  ["PUT", /^\/v1\/sessions$/, createSession],
  ["GET", /^\/v1\/sessions\/([^/]+)$/, getSession],
  ["POST", /^\/v1\/sessions\/([^/]+)\/join$/, joinSession],
  ["POST", /^\/v1\/sessions\/([^/]+)\/renew$/, renewSession],
  ["DELETE", /^\/v1\/sessions\/([^/]+)\/agents\/([^/]+)$/, leaveSession],
  ["POST", /^\/v1\/sessions\/([^/]+)\/messages$/, sendMessage],
  ["GET", /^\/v1\/sessions\/([^/]+)\/messages$/, pollMessages],
  ["PUT", /^\/v1\/pair$/, createPairing],
  ["POST", /^\/v1\/pair\/([^/]+)\/claim$/, claimPairing],
  ["GET", /^\/v1\/pair\/([^/]+)\/status$/, pairingStatus],
  ["GET", /^\/v1\/pair\/([^/]+)\/skill$/, pairingPage],
  ["GET", /^\/p\/([^/]+)$/, pairingLink],
  ["GET", /^\/v1\/stats$/, stats],
  ["GET", /^\/health$/, health],
];

/** Answers one request; the rate limit is checked before. */
export function routeMessaging(context: RouteContext, request: HttpRequest): Reply {
  for (const [method, path, route] of routes) {
    const match = request.method === method ? path.exec(request.url.pathname) : null;
    if (match === null) continue;
    try {
      return route(context, request, match[1] ?? "", match[2] ?? "");
    } catch (thrown) {
      if (thrown instanceof Refusal) return thrown.reply;
      throw thrown;
    }
  }
  return errorReply(404, "not_found", "No such resource");
}

function createSession(context: RouteContext, request: HttpRequest): Reply {
  const body = readBody(request);
  const session = context.sessions.create({
    ttl: integerField(body, "ttl", maxTtlSeconds),
    maxAgents: integerField(body, "maxAgents", agentLimit),
    greeting: stringField(body, "greeting"),
    creatorAgentId: agentIdField(body),
  });
  const creator = session.members.get(session.creatorAgentId ?? "");
  return json(201, {
    sessionId: session.id,
    ttl: session.ttlSeconds,
    maxAgents: session.maxAgents,
    state: "active",
    ...(creator && { creatorAgentId: session.creatorAgentId, sessionKey: creator.key }),
  });
}

function getSession(context: RouteContext, _request: HttpRequest, id: string): Reply {
  const session = sessionOf(context, id);
  return json(200, {
    sessionId: session.id,
    state: "active",
    agents: [...session.members.keys()],
    ttl: session.ttlSeconds,
    maxAgents: session.maxAgents,
    ...(session.creatorAgentId !== undefined && { creatorAgentId: session.creatorAgentId }),
  });
}

function joinSession(context: RouteContext, request: HttpRequest, id: string): Reply {
  const agentId = agentIdOf(request);
  const session = sessionOf(context, id);
  const sessionKey = enter(context, session, agentId);
  return json(200, {
    status: "joined",
    agentsOnline: session.members.size,
    sessionKey,
    expiresAt: new Date(session.expiresAt).toISOString(),
  });
}

function renewSession(context: RouteContext, request: HttpRequest, id: string): Reply {
  const agentId = agentIdOf(request);
  const ttl = integerField(readBody(request), "ttl", maxTtlSeconds);
  const session = sessionOf(context, id);
  if (!session.members.has(agentId)) throw notMember();
  context.sessions.touch(session, agentId);
  context.sessions.renew(session, ttl);
  return json(200, {
    sessionId: session.id,
    state: "active",
    ttl: session.ttlSeconds,
    expiresAt: new Date(session.expiresAt).toISOString(),
    agents: [...session.members.keys()],
  });
}

function leaveSession(context: RouteContext, request: HttpRequest, id: string, leaver: string): Reply {
  const agentId = agentIdOf(request);
  const key = request.header("x-session-key");
  if (key === undefined) throw new Refusal(401, "missing_session_key", "X-Session-Key header is required");
  const session = sessionOf(context, id);
  const member = session.members.get(leaver);
  if (member === undefined) throw new Refusal(404, "agent_not_found", "Agent not found in session");
  if (agentId !== leaver) throw new Refusal(403, "forbidden", "An agent can only remove itself");
  if (key !== member.key) throw new Refusal(401, "invalid_session_key", "Session key does not match");
  if (leaver === session.creatorAgentId) {
    throw new Refusal(403, "forbidden", "The session creator cannot leave the session");
  }
  session.members.delete(leaver);
  return json(200, { ok: true, sessionId: id, agentId: leaver, message: "Agent left the session" });
}

function sendMessage(context: RouteContext, request: HttpRequest, id: string): Reply {
  const agentId = agentIdOf(request);
  const body = readBody(request);
  const text = stringField(body, "text");
  const content = context.reportsCapabilities && body.json !== undefined ? body.json : undefined;
  if (!text && content === undefined) throw invalid("text", "Either text or json is required");
  const session = sessionOf(context, id);
  const member = session.members.get(agentId);
  if (member === undefined) throw notMember();
  const key = request.header("x-session-key");
  if (key !== undefined && key !== member.key) {
    throw new Refusal(403, "invalid_session_key", "Session key does not match");
  }
  const message = context.sessions.append(session, agentId, { text, json: content }, key !== undefined);
  return json(201, { id: message.id, cursor: message.cursor, expiresAt: message.expiresAt });
}

function pollMessages(context: RouteContext, request: HttpRequest, id: string): Reply {
  const agentId = agentIdOf(request);
  const after = request.url.searchParams.get("after") ?? undefined;
  if (after !== undefined && !/^\d+$/.test(after)) throw invalid("after", "Expected a decimal cursor");
  const session = sessionOf(context, id);
  if (!session.members.has(agentId)) {
    throw new Refusal(403, "agent_not_in_session", "Agent is not a member of this session");
  }
  context.sessions.touch(session, agentId);
  const messages = context.sessions.page(session, after === undefined ? undefined : BigInt(after));
  const latest = session.messages.at(-1)?.cursor ?? "0";
  const isTwice = messages.length > 0 && request.takeDuplicate();
  return json(200, {
    messages: isTwice ? [...messages, ...messages] : messages,
    nextCursor:
      messages.at(-1)?.cursor ?? (context.emptyPageCursor === "echo" && after !== undefined ? after : latest),
    ...(request.url.searchParams.get("members") === "true" && {
      members: [...session.members].map(([member, { lastSeenAt }]) => ({
        agentId: member,
        lastSeenAt: new Date(lastSeenAt).toISOString(),
      })),
    }),
  });
}

function createPairing(context: RouteContext, request: HttpRequest): Reply {
  const sessionId = stringField(readBody(request), "sessionId");
  if (!sessionId) throw invalid("sessionId", "Required");
  const { code, expiresAt } = context.pairings.create(sessionOf(context, sessionId).id);
  const url = `${context.serverUrl()}/p/${code}`;
  return json(201, { code, url, expiresAt: new Date(expiresAt).toISOString() });
}

function claimPairing(context: RouteContext, request: HttpRequest, code: string): Reply {
  const agentId = agentIdOf(request);
  const pairing = pairingOf(context, code);
  if (context.pairings.state(pairing) !== "pending") {
    throw new Refusal(404, "code_expired_or_used", "Pairing code expired or already claimed");
  }
  const session = sessionOf(context, pairing.sessionId);
  const sessionKey = enter(context, session, agentId);
  pairing.isClaimed = true;
  return json(200, { sessionId: session.id, status: "claimed", sessionKey });
}

function pairingStatus(context: RouteContext, _request: HttpRequest, code: string): Reply {
  return json(200, { state: context.pairings.state(pairingOf(context, code)) });
}

function pairingPage(context: RouteContext, request: HttpRequest, code: string): Reply {
  const markdown = pairingSkill(context.serverUrl(), pairingOf(context, code).code);
  if (!request.header("accept")?.includes("text/html")) {
    return { status: 200, headers: { "content-type": "text/markdown; charset=utf-8" }, body: markdown };
  }
  const body = `<!doctype html><title>NexusMessaging</title><pre>${markdown.replaceAll("<", "&lt;")}</pre>\n`;
  return { status: 200, headers: { "content-type": "text/html; charset=utf-8" }, body };
}

function pairingLink(_context: RouteContext, _request: HttpRequest, code: string): Reply {
  return { status: 301, headers: { location: `/v1/pair/${code}/skill` }, body: "" };
}

function stats(context: RouteContext): Reply {
  const sessions = context.sessions.all();
  return json(200, {
    activeSessions: sessions.length,
    totalAgents: sessions.reduce((sum, session) => sum + session.members.size, 0),
    totalMessages: sessions.reduce((sum, session) => sum + session.messages.length, 0),
    uptime: context.sessions.uptimeSeconds(),
  });
}

function health(context: RouteContext): Reply {
  return json(200, {
    status: "ok",
    version: "0.5.0",
    uptime: context.sessions.uptimeSeconds(),
    ...(context.reportsCapabilities && { capabilities: { messageFormat: ["text", "json"] } }),
  });
}

function sessionOf(context: RouteContext, id: string): Session {
  const session = context.sessions.find(id);
  if (session === undefined) {
    throw new Refusal(404, "session_not_found", "Session does not exist or has expired");
  }
  return session;
}

function pairingOf(context: RouteContext, code: string): Pairing {
  const pairing = context.pairings.find(code);
  if (pairing === undefined) throw new Refusal(404, "code_not_found", "Pairing code does not exist");
  return pairing;
}

function enter(context: RouteContext, session: Session, agentId: string): string {
  const result = context.sessions.join(session, agentId);
  switch (result.kind) {
    case "joined":
      return result.member.key;
    case "full":
      throw new Refusal(409, "session_full", "Session has reached its maximum number of agents");
    case "taken":
      throw new Refusal(409, "agent_id_taken", "Another agent already joined with this id");
    default:
      return result satisfies never;
  }
}

function notMember(): Refusal {
  return new Refusal(403, "forbidden", "Agent is not a member of this session");
}
