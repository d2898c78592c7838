// Keeps every session joined, renewed and polled, one request a step, within the budget of the server.

import { HttpError } from "../src/http/errors.ts";
import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import type { MessagingServer } from "../src/services/messaging/client.ts";
import {
  afterJoin,
  afterRefusal,
  afterRemoval,
  afterRenewal,
  isNotMember,
  sessionObservation,
} from "../src/services/messaging/membership.ts";
import {
  isFromEarlierBoot,
  isRenewalDue,
  observePage,
  type Session,
} from "../src/services/messaging/session.ts";
import { pollPaceMs, pollPlaces, type Turn } from "../src/services/messaging/sessions.ts";

const HEALTH_EVERY_MS = 60_000;

export default defineJob({
  name: "messaging-poll",
  description: "Polls the sessions of NexusMessaging and keeps nexusd a member of them.",
  kind: "paced",
  service: "messaging",
  enabled: (config) => config.messaging.enabled,
  // Each server has a budget of its own, and its failures are its own.
  lanes: ({ config, services }) => {
    const servers = services.messaging.sessions.servers();
    return servers.length > 0 ? servers : [config.messaging.base_url];
  },
  paceMs: ({ config }) => pollPaceMs(config.messaging),
  concurrency: ({ config }) => pollPlaces(config.messaging),
  intervalMs: () => 30_000,
  step,
});

async function step(context: JobContext, baseUrl: string): Promise<"idle" | undefined> {
  const { messaging } = context.services;
  const session = messaging.sessions.take(baseUrl);
  if (!session) {
    // Nothing to poll is not proof that the service answers: its health is, once a minute.
    const isAsked = await checkHealth(context, messaging.server(baseUrl));
    return isAsked ? undefined : "idle";
  }
  const release = (turn: Turn) => messaging.sessions.release(session.sessionId, turn);
  try {
    release(await takeTurn(context, session));
    if (messaging.sessions.refused(baseUrl) === 0) context.degraded(undefined);
    return undefined;
  } catch (error) {
    if (!isAboutOneSession(error)) {
      release({ kind: "postponed" });
      throw error;
    }
    // An answer about this session alone must not slow the others down.
    release({ kind: "refused" });
    context.degraded({ code: error.code, message: error.message });
    context.log.warn({ session: label(session), code: error.code }, error.message);
    // The service answered, even if not as it should.
    return undefined;
  }
}

const isAboutOneSession = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  !error.retryable &&
  (error.kind === "status" || error.kind === "invalid_body");

async function takeTurn(context: JobContext, session: Session): Promise<Turn> {
  const server = context.services.messaging.server(session.baseUrl);
  await checkHealth(context, server);
  try {
    if (session.state !== "joined") await join(context, server, session);
    else if (context.config.messaging.auto_renew && isRenewalDue(session, context.clock.now()))
      await renew(context, server, session);
    else return await poll(context, server, session);
    return { kind: "served" };
  } catch (error) {
    const ended = afterRefusal(session, error);
    // Taken, where we were in: the server let us in before, and may do so again.
    if (!ended || (ended.session.reason?.code === "agent_id_taken" && session.joinedAt !== null)) throw error;
    await commit(context, ended.session, ended.events);
    context.log.warn({ reason: ended.session.reason?.code, session: label(session) }, "session ended");
    return { kind: "served" };
  }
}

async function join(context: JobContext, server: MessagingServer, session: Session): Promise<void> {
  // On disk before the request: after a crash in between, "agent id taken" means that we are in.
  const wasJoining = session.state === "joining";
  if (!wasJoining) await commit(context, { ...session, state: "joining" }, []);
  let answer: Awaited<ReturnType<MessagingServer["join"]>> = {};
  try {
    answer = await server.join(session.sessionId, session.agentId);
  } catch (error) {
    if (!(wasJoining && error instanceof HttpError && error.code === "agent_id_taken")) throw error;
    context.log.warn({ session: label(session) }, "joined before a crash; its session key is not known");
  }
  const { ttl } = await server.describe(session.sessionId);
  const after = afterJoin(session, context.clock.now(), answer, ttl ? ttl * 1000 : null);
  await commit(context, after.session, after.events, answer.sessionKey);
  context.log.info({ session: label(session) }, "joined a session");
}

async function renew(context: JobContext, server: MessagingServer, session: Session): Promise<void> {
  const ttlSeconds = session.ttlMs === null ? null : Math.round(session.ttlMs / 1000);
  const answer = await server.renew(session.sessionId, session.agentId, ttlSeconds);
  const after = afterRenewal(session, context.clock.now(), answer);
  await commit(context, after.session, after.events);
}

async function poll(context: JobContext, server: MessagingServer, session: Session): Promise<Turn> {
  const { bootAt } = context.services.messaging.boot(server.baseUrl);
  const after = isFromEarlierBoot(session, bootAt) ? null : session.cursor;
  try {
    const page = await server.poll(session.sessionId, session.agentId, after, context.signal);
    const seen = observePage(session, page, after, bootAt);
    if (seen.restarted)
      context.log.warn({ session: label(session) }, "the server lost the session's messages");
    const polled = { ...seen.session, lastPolledAt: isoTime(context.clock.now()) };
    const isQuiet =
      seen.events.length === 0 &&
      polled.cursor === session.cursor &&
      polled.serverBootAt === session.serverBootAt;
    // A poll that brought nothing is not worth a write to the disk.
    if (isQuiet) context.services.messaging.sessions.put(polled);
    else await commit(context, polled, seen.events);
    const messages = seen.events.filter(({ type }) => type === "messaging.message.received").length;
    return { kind: "polled", messages };
  } catch (error) {
    if (!isNotMember(error)) throw error;
    if (context.config.messaging.auto_rejoin) await join(context, server, session);
    else {
      const removed = afterRemoval(session);
      await commit(context, removed.session, removed.events);
    }
    return { kind: "served" };
  }
}

/** In memory only after it is on disk: a commit that failed is met by the same page again. */
async function commit(
  context: JobContext,
  session: Session,
  events: Parameters<typeof sessionObservation>[1],
  sessionKey?: string | null,
): Promise<void> {
  const observation = sessionObservation(session, events, sessionKey);
  const { appended } = await context.store.commitObservation(observation);
  context.services.messaging.sessions.put(session);
  if (appended.length > 0)
    context.log.debug({ session: label(session), events: appended.length }, "session advanced");
}

/**
 * A server that was restarted has forgotten its messages, and only its uptime says so. Asked once a minute.
 * @returns whether it was asked now, and answered
 */
async function checkHealth(context: JobContext, server: MessagingServer): Promise<boolean> {
  const boot = context.services.messaging.boot(server.baseUrl);
  const now = context.clock.now();
  if (boot.isAsking || (boot.checkedAt !== null && Math.abs(now - boot.checkedAt) < HEALTH_EVERY_MS))
    return false;
  boot.isAsking = true;
  try {
    const { uptime } = await server.health();
    boot.checkedAt = context.clock.now();
    boot.bootAt = typeof uptime === "number" ? boot.checkedAt - uptime * 1000 : null;
    return true;
  } finally {
    boot.isAsking = false;
  }
}

/** What a log line may say of a session. */
const label = (session: Session) => session.alias ?? `${session.sessionId.slice(0, 6)}…`;
