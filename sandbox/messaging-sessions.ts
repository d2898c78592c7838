/** The sessions of the NexusMessaging stand-in: membership, cursors, expiry; permissions are in the routes. */

import { randomBytes, randomUUID } from "node:crypto";
import type { SandboxClock } from "./clock.ts";

const defaultTtlSeconds = 3660;
export const maxTtlSeconds = 86_400;
export const agentLimit = 50;

interface Member {
  key: string;
  lastSeenAt: number;
}

export interface Message {
  id: string;
  agentId: string;
  text?: string;
  json?: unknown;
  /** A decimal string, increasing within its session. */
  cursor: string;
  verified: boolean;
  expiresAt: string;
}

export interface Session {
  id: string;
  ttlSeconds: number;
  maxAgents: number;
  creatorAgentId: string | undefined;
  /** Part of the session's metadata, so it outlives the messages. */
  greeting: Message | undefined;
  members: Map<string, Member>;
  messages: Message[];
  nextCursor: bigint;
  expiresAt: number;
}

export interface NewSession {
  id?: string | undefined;
  /** Seconds. */
  ttl?: number | undefined;
  maxAgents?: number | undefined;
  greeting?: string | undefined;
  creatorAgentId?: string | undefined;
}

export interface MessageContent {
  text?: string | undefined;
  json?: unknown;
}

export type JoinResult = { kind: "joined"; member: Member } | { kind: "full" } | { kind: "taken" };

export type Sessions = ReturnType<typeof openSessions>;

export function openSessions(clock: SandboxClock, inactivityMs: number | undefined) {
  const sessions = new Map<string, Session>();
  let startedAt = clock.now();

  /** The current session, without inactive members; undefined if it never existed or has expired. */
  function find(id: string): Session | undefined {
    const session = sessions.get(id);
    if (session === undefined) return undefined;
    if (clock.now() >= session.expiresAt) {
      sessions.delete(id);
      return undefined;
    }
    for (const [agentId, member] of session.members) {
      const silentMs = clock.now() - member.lastSeenAt;
      const isImmune = inactivityMs === undefined || agentId === session.creatorAgentId;
      if (!isImmune && silentMs > inactivityMs) session.members.delete(agentId);
    }
    return session;
  }

  function create(options: NewSession): Session {
    const ttlSeconds = options.ttl ?? defaultTtlSeconds;
    const expiresAt = clock.now() + ttlSeconds * 1000;
    const session: Session = {
      id: options.id ?? randomBytes(24).toString("hex"),
      ttlSeconds,
      maxAgents: options.maxAgents ?? agentLimit,
      creatorAgentId: options.creatorAgentId,
      greeting: undefined,
      members: new Map(),
      messages: [],
      nextCursor: 1n,
      expiresAt,
    };
    if (options.greeting !== undefined) {
      session.greeting = {
        id: randomUUID(),
        agentId: "system",
        text: options.greeting,
        cursor: "0",
        verified: true,
        expiresAt: new Date(expiresAt).toISOString(),
      };
    }
    sessions.set(session.id, session);
    if (options.creatorAgentId !== undefined) join(session, options.creatorAgentId);
    return session;
  }

  function join(session: Session, agentId: string): JoinResult {
    if (session.members.has(agentId)) return { kind: "taken" };
    if (session.members.size >= session.maxAgents) return { kind: "full" };
    const member = { key: randomBytes(32).toString("hex"), lastSeenAt: clock.now() };
    session.members.set(agentId, member);
    return { kind: "joined", member };
  }

  /** Appends a message; the session's lifetime starts over. */
  function append(session: Session, agentId: string, content: MessageContent, verified: boolean): Message {
    touch(session, agentId);
    renew(session, undefined);
    const message: Message = {
      id: randomUUID(),
      agentId,
      ...(content.text === undefined ? {} : { text: redact(content.text) }),
      ...(content.json === undefined ? {} : { json: content.json }),
      cursor: String(session.nextCursor),
      verified,
      expiresAt: new Date(session.expiresAt).toISOString(),
    };
    session.nextCursor += 1n;
    session.messages.push(message);
    return message;
  }

  /** The messages after a cursor; without one, all of them, the greeting first. */
  function page(session: Session, after: bigint | undefined): Message[] {
    if (after !== undefined) {
      const last = session.messages.findLastIndex((message) => BigInt(message.cursor) <= after);
      return session.messages.slice(last + 1);
    }
    return session.greeting === undefined ? session.messages : [session.greeting, ...session.messages];
  }

  function touch(session: Session, agentId: string): void {
    const member = session.members.get(agentId);
    if (member !== undefined) member.lastSeenAt = clock.now();
  }

  function renew(session: Session, ttlSeconds: number | undefined): void {
    session.ttlSeconds = ttlSeconds ?? session.ttlSeconds;
    session.expiresAt = clock.now() + session.ttlSeconds * 1000;
  }

  /** What remains after a restart of the server: the sessions with their members, but no messages and no cursors. */
  function forgetMessages(): void {
    startedAt = clock.now();
    for (const session of sessions.values()) {
      session.messages = [];
      session.nextCursor = 1n;
    }
  }

  return {
    find,
    create,
    join,
    append,
    page,
    touch,
    renew,
    forgetMessages,
    expire: (id: string) => sessions.delete(id),
    all: () => [...sessions.keys()].map(find).filter((session) => session !== undefined),
    uptimeSeconds: () => Math.floor((clock.now() - startedAt) / 1000),
  };
}

const secrets: [RegExp, string][] = [
  [/\bAKIA[0-9A-Z]{16}\b/g, "aws_access_key"],
  [/\bgh[pousr]_[A-Za-z0-9]{36,}\b/g, "github_token"],
  [/\bsk-[A-Za-z0-9_-]{20,}/g, "api_key"],
];

/** The server's own redaction: its patterns are not public, these are the certain ones. */
function redact(text: string): string {
  return secrets.reduce((clean, [pattern, kind]) => clean.replace(pattern, `[REDACTED:${kind}]`), text);
}
