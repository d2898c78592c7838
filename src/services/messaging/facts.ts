// What the requests of NexusMessaging depend on besides their input: its servers, and the sessions that nexusd is or
// was in.

import { parseJson } from "../../core/exact-json.ts";
import { fieldsOf } from "../input.ts";
import {
  type Credential,
  defineOperationsOf,
  type Facts,
  OperationError,
  type ShownRequest,
} from "../operation.ts";
import type { MessagingSettings } from "./config.ts";
import type { SessionEffect } from "./membership/changes.ts";
import { SHORTEST_ID, sessionsNamed } from "./membership/names.ts";
import type { LastingSession } from "./membership/sessions.ts";
import { findServer, knownServers } from "./servers.ts";

/** A session as an operation needs it. */
export interface SessionFacts {
  sessionId: string;
  alias: string | null;
  /** The alias that it had when it was left. */
  leftAs?: string | null;
  baseUrl: string;
  agentId: string;
  state: string;
  /** Whether nexusd created it under its agent id: then it can never leave. */
  isCreator?: boolean;
  /** Whether the configuration names it: then an operator decides about leaving it. */
  isConfigured?: boolean;
  /** When nexusd joined it, which distinguishes one membership from the next. */
  joinedAt?: string | null;
  /** The last cursor read when these facts were taken; null: none yet; left out: unknown. */
  cursor?: string | null;
  /** The cursor of the last message that was certainly sent from here; null: none. */
  sentCursor?: string | null;
  /** Whether there may be later own messages. */
  isSendInDoubt?: boolean;
}

export interface MessagingFacts extends Facts {
  /** The name under which nexusd joins sessions. */
  agentId: string;
  /** Every session that nexusd is or was in. */
  sessions: readonly SessionFacts[];
  /** The origin of a server that nexusd may talk to; left out: the configured one. @throws OperationError */
  server(name?: string): string;
  /** By id, alias, or unambiguous prefix of an id (at least 6 characters). @throws OperationError */
  session(idOrAlias: string): SessionFacts;
}

export interface SessionCredential extends Credential {
  kind: "session";
  sessionId: string;
}

/** Placeholder for the session's key, which is new with each join. The URL says which session it belongs to. */
export const sessionCredential = (sessionId: string): SessionCredential => ({
  kind: "session",
  sessionId,
  headers: { "x-session-key": "‹session key›" },
});

export const isOfSession = (credential: Credential): credential is SessionCredential =>
  credential.kind === "session" && "sessionId" in credential;

export const defineOperation = defineOperationsOf<MessagingFacts, SessionEffect>();

export function messagingFacts(settings: MessagingSettings, all: readonly LastingSession[]): MessagingFacts {
  const sessions = all.map(factsIn(settings));
  return {
    origin: settings.base_url,
    agentId: settings.agent_id,
    sessions,
    server: (name) =>
      name === undefined ? settings.base_url : findServer(knownServers(settings, sessions), name),
    session: (idOrAlias) => findSession(sessions, idOrAlias),
  };
}

/** The facts that a request shows: a stored input has sessions by their whole ids, and so does the URL. */
export function shownMessagingFacts({ url, headers, body }: ShownRequest): MessagingFacts {
  const origin = URL.parse(url)?.origin ?? "";
  const { creatorAgentId, agentId: named } = fieldsOf(body === null ? undefined : parseJson(body));
  const agentId =
    headers.find(({ name }) => name === "x-agent-id")?.value ?? textOf(creatorAgentId) ?? textOf(named) ?? "";
  return {
    ...{ origin, agentId },
    sessions: [],
    server: () => origin,
    session: (sessionId) => ({ sessionId, alias: null, baseUrl: origin, agentId, state: "joined" }),
  };
}

const textOf = (value: unknown) => (typeof value === "string" ? value : undefined);

const factsIn = (messaging: MessagingSettings) => {
  const configured = new Set(messaging.sessions.map(({ id }) => id));
  return (session: LastingSession): SessionFacts => ({
    ...sessionFacts(session),
    ...(configured.has(session.sessionId) && { isConfigured: true }),
  });
};

const sessionFacts = (session: LastingSession): SessionFacts => {
  const { sessionId, alias, leftAs, baseUrl, agentId, state, isCreator, joinedAt } = session;
  const { cursor, sentCursor, isSendInDoubt } = session;
  return {
    ...{ sessionId, alias, leftAs, baseUrl, agentId, state, isCreator, joinedAt },
    ...{ cursor, sentCursor, isSendInDoubt },
  };
};

/** Ids are secrets: no message contains one. */
function findSession(sessions: readonly SessionFacts[], idOrAlias: string): SessionFacts {
  const found = sessionsNamed(sessions, idOrAlias);
  const [session, another] = found;
  if (another)
    throw new OperationError(
      "ambiguous_session",
      `${found.length} sessions have this alias, or an id that begins with it: use the whole id or alias.`,
    );
  if (session) return session;
  throw new OperationError(
    "session_not_found",
    `nexusd knows no session with this id or alias. An id can be shortened to ${SHORTEST_ID} ` +
      "characters; GET /v1/messaging/sessions (nexusctl messaging ls) lists the sessions.",
  );
}
