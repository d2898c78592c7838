// What requests depend on beside their input, gathered at the moment it is needed: origins, sessions, organization.

import type { Clock } from "../core/clock.ts";
import { HttpError } from "../http/errors.ts";
import type { JobConfig as Config } from "../services/config.ts";
import { serviceNamed } from "../services/list.ts";
import { SHORTEST_ID, sessionsNamed } from "../services/messaging/names.ts";
import { findServer, knownServers } from "../services/messaging/servers.ts";
import type { LastingSession, SessionSet } from "../services/messaging/sessions.ts";
import { type Facts, OperationError, type SessionFacts } from "../services/operation.ts";

/** @throws OperationError `service_disabled` */
export type ReadFacts = (service: string) => Promise<Facts>;

export interface FactsOptions {
  /** Asked each time, since a reload changes it. */
  config: () => Config;
  /** The sessions that nexusd is or was in, those of the configuration among them. */
  sessions: () => Pick<SessionSet, "all">;
  /** TokenSource.organizationId, which may have to exchange the key for it first. */
  organizationId: () => Promise<string>;
  clock: Clock;
}

/** An exchange that takes longer than this leaves the organization unknown for now. */
const ORGANIZATION_WITHIN_MS = 10_000;

export function createFacts(options: FactsOptions): ReadFacts {
  return async (service) => {
    const config = options.config();
    if (!config[serviceNamed(service).name].enabled)
      throw new OperationError("service_disabled", `${service} is disabled: set ${service}.enabled = true`);
    const sessions = service === "messaging" ? options.sessions().all().map(factsIn(config)) : [];
    const { messaging } = config;
    // Made where it is thrown: an error costs more than all the rest here.
    const organization = service === "nexus" ? await readOrganization(options) : undefined;
    return {
      origins: {
        messaging: config.messaging.base_url,
        nex: config.nex.base_url,
        nexus: config.nexus.base_url,
      },
      agentId: messaging.agent_id,
      sessions,
      server: (name) =>
        name === undefined ? messaging.base_url : findServer(knownServers(messaging, sessions), name),
      session: (idOrAlias) => findSession(sessions, idOrAlias),
      organizationId() {
        if (typeof organization === "string") return organization;
        throw organization ?? unknownOrganization();
      },
    };
  };
}

const factsIn = ({ messaging }: Config) => {
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

/** Ids are secrets: no message repeats one. */
function findSession(sessions: readonly SessionFacts[], idOrAlias: string): SessionFacts {
  const found = sessionsNamed(sessions, idOrAlias);
  const [session, another] = found;
  if (another)
    throw new OperationError(
      "ambiguous_session",
      `${found.length} sessions have this alias or begin with this: name one by its whole id or alias.`,
    );
  if (session) return session;
  throw new OperationError(
    "session_not_found",
    `nexusd is in no session of this id or alias. An id can be shortened to ${SHORTEST_ID} characters; ` +
      "GET /v1/messaging/sessions (nexusctl messaging ls) lists them.",
  );
}

async function readOrganization({ organizationId, clock }: FactsOptions): Promise<string | OperationError> {
  const waited = new AbortController();
  const late = clock.sleep(ORGANIZATION_WITHIN_MS, waited.signal).then(
    () => unknownOrganization("the exchange of the agent key took too long"),
    () => unknownOrganization(),
  );
  try {
    return await Promise.race([organizationId(), late]);
  } catch (error) {
    return unknownOrganization(
      error instanceof HttpError ? error.message : "the agent key was not exchanged",
    );
  } finally {
    waited.abort();
  }
}

const unknownOrganization = (why = "no agent key was exchanged yet") =>
  new OperationError("service_unavailable", `nexus: the organization of the agent key is not known: ${why}`);
