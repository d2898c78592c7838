// Keeps every session joined, renewed and polled, one request a step, within the budget of the server.

import { HttpError } from "../src/http/errors.ts";
import { isoTime } from "../src/scheduler/clock.ts";
import { defineJob, type JobContext } from "../src/scheduler/define-job.ts";
import type { SessionChange } from "../src/services/messaging/changes.ts";
import type { MessagePage, MessagingServer } from "../src/services/messaging/client.ts";
import {
  afterDescription,
  afterJoin,
  afterRefusal,
  afterRemoval,
  afterRenewal,
  isNotMember,
} from "../src/services/messaging/membership.ts";
import {
  afterTraffic,
  type BootSeen,
  observeMembers,
  observePage,
  pollAfter,
  type Session,
  saysNothing,
} from "../src/services/messaging/session.ts";
import {
  isActive,
  type Known,
  type LastingSession,
  pollPaceMs,
  pollPlaces,
  type Turn,
} from "../src/services/messaging/sessions.ts";

/** With the 60 s that a session may wait for its poll, a restart is noticed within two minutes. */
const HEALTH_EVERY_MS = 50_000;
/** A poll that asks for the members as well costs no request of its own. */
const MEMBERS_EVERY_MS = 60_000;

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

const NOTHING_NEW: Turn = { kind: "polled", messages: 0 };
const SERVED: Turn = { kind: "served" };
const POSTPONED: Turn = { kind: "postponed" };

async function step(context: JobContext, baseUrl: string): Promise<"idle" | undefined> {
  const { messaging } = context.services;
  const server = messaging.server(baseUrl);
  const known = messaging.sessions.take(baseUrl);
  if (!known) {
    // Nothing to poll is not proof that the service answers: its health is, once a minute.
    if (!isHealthDue(context, server)) return "idle";
    await checkHealth(context, server);
    return undefined;
  }
  let turn = POSTPONED;
  try {
    if (isHealthDue(context, server)) await checkHealth(context, server);
    turn = await takeTurn(context, server, known);
  } catch (error) {
    if (!isAboutOneSession(error)) throw error;
    // An answer about this session alone must not slow the others down: the service answered, even if not as it should.
    turn = { kind: "refused" };
    context.degraded({ code: error.code, message: error.message });
    context.log.warn({ session: label(known.session), code: error.code }, error.message);
  } finally {
    messaging.sessions.release(known, turn);
  }
  if (messaging.sessions.refused(baseUrl) === 0) context.degraded(undefined);
  return undefined;
}

const isAboutOneSession = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  !error.retryable &&
  (error.kind === "status" || error.kind === "invalid_body");

// Not async: a quiet poll goes through as few async functions as it can, since each costs more than what it does.
function takeTurn(context: JobContext, server: MessagingServer, known: Known): Promise<Turn> {
  const { session } = known;
  // A write is taking us out of it.
  if (context.services.messaging.changes.isHeld(session.sessionId)) return Promise.resolve(POSTPONED);
  if (session.state !== "joined") return served(context, session, join(context, server, session));
  if (session.ttlMs === null) return served(context, session, describe(context, server, session));
  const isRenewed = context.config.messaging.auto_renew && context.clock.now() > known.renewAtMs;
  if (isRenewed) return served(context, session, renew(context, server, session));
  return poll(context, server, known);
}

/** A turn that went to something else than a poll. */
async function served(context: JobContext, session: LastingSession, work: Promise<void>): Promise<Turn> {
  try {
    await work;
  } catch (error) {
    return ended(context, session, error);
  }
  return SERVED;
}

/** A turn whose failure means the end of the session; one that means anything else is thrown again. */
async function ended(context: JobContext, session: LastingSession, error: unknown): Promise<Turn> {
  // Taken, where we were in: the server let us in before, and may do so again.
  const isTakenBack = codeOf(error) === "agent_id_taken" && session.joinedAt !== null;
  const known = context.services.messaging.sessions.get(session.sessionId);
  const end = isTakenBack || !known ? undefined : afterRefusal(known, error);
  if (!end) throw error;
  await change(context, session, (current) => (isActive(current) ? afterRefusal(current, error) : undefined));
  context.log.warn({ reason: end.session.reason?.code, session: label(session) }, "session ended");
  return SERVED;
}

const codeOf = (error: unknown) => (error instanceof HttpError ? error.code : undefined);

async function join(context: JobContext, server: MessagingServer, session: LastingSession): Promise<void> {
  // On disk before the request: after a crash in between, "agent id taken" means that we are in.
  const wasJoining = session.state === "joining";
  if (!wasJoining)
    await change(context, session, (current) =>
      isActive(current) ? { session: { ...current, state: "joining" }, events: [] } : undefined,
    );
  let answer: Awaited<ReturnType<MessagingServer["join"]>> = {};
  try {
    answer = await server.join(session.sessionId, session.agentId);
  } catch (error) {
    if (!(wasJoining && codeOf(error) === "agent_id_taken")) throw error;
    context.log.warn({ session: label(session) }, "joined before a crash; its session key is not known");
  }
  const { changes, sessions } = context.services.messaging;
  const isWanted = sessions.get(session.sessionId)?.state === "joining" && !changes.isHeld(session.sessionId);
  if (!isWanted) {
    // Left while the request was under way: the place is given back.
    if (answer.sessionKey) await server.leave(session.sessionId, session.agentId, answer.sessionKey);
    return;
  }
  // Left meanwhile, it stays left. What the session is, is asked at its next turn.
  await change(
    context,
    session,
    (current, now) =>
      current.state === "joining" ? afterJoin({ ...current, ttlMs: null }, now, answer) : undefined,
    answer.sessionKey ? { sessionKey: answer.sessionKey } : {},
  );
  context.log.info({ session: label(session) }, "joined a session");
}

async function describe(
  context: JobContext,
  server: MessagingServer,
  session: LastingSession,
): Promise<void> {
  const answer = await server.describe(session.sessionId);
  await change(context, session, (current, now) =>
    isActive(current) ? { session: afterDescription(current, now, answer), events: [] } : undefined,
  );
}

async function renew(context: JobContext, server: MessagingServer, session: LastingSession): Promise<void> {
  const ttlSeconds = session.ttlMs === null ? null : Math.round(session.ttlMs / 1000);
  const answer = await server.renew(session.sessionId, session.agentId, ttlSeconds);
  await change(context, session, (current, now) =>
    isActive(current) ? afterRenewal(current, now, answer) : undefined,
  );
}

async function poll(context: JobContext, server: MessagingServer, known: Known): Promise<Turn> {
  const { messaging } = context.services;
  const { bootAt, checkedAt, offsetMs } = messaging.boot(server.baseUrl);
  const { session } = known;
  const after = pollAfter(session, bootAt);
  const members = context.config.messaging.members && areMembersDue(context, known);
  let page: MessagePage;
  try {
    page = await server.poll(session.sessionId, session.agentId, after, context.signal, { members });
  } catch (error) {
    return afterRefusedPoll(context, server, session, error);
  }

  const now = context.clock.now();
  if (!Number.isNaN(known.polledAtMs)) messaging.pollGaps.observe((now - known.polledAtMs) / 1000);
  // A poll that brought nothing is not worth a write to the disk.
  if (saysNothing(known.session, page, after, bootAt)) {
    if (isActive(known.session)) known.polledAtMs = now;
    return NOTHING_NEW;
  }
  const askedAt = checkedAt === null || offsetMs === null ? null : checkedAt + offsetMs;
  return read(context, known, page, after, { bootAt, checkedAt: askedAt });
}

function afterRefusedPoll(
  context: JobContext,
  server: MessagingServer,
  session: LastingSession,
  error: unknown,
): Promise<Turn> {
  if (!isNotMember(error)) return ended(context, session, error);
  if (context.services.messaging.changes.isHeld(session.sessionId)) return Promise.resolve(POSTPONED);
  const work = context.config.messaging.auto_rejoin
    ? join(context, server, session)
    : change(context, session, (current) => (isActive(current) ? afterRemoval(current) : undefined));
  return served(context, session, work);
}

/** Stores what a page says. */
async function read(
  context: JobContext,
  known: Known,
  page: MessagePage,
  after: string | null,
  boot: Omit<BootSeen, "now">,
): Promise<Turn> {
  const observe = (current: Session, now: number) => {
    const seen = observePage(current, page, after, { ...boot, now });
    const looked = observeMembers(seen.session, page);
    const last = current.lastPolledAt === null ? null : Date.parse(current.lastPolledAt);
    // From the start come old ones, too; after the cursor they are newer than the last poll.
    const isTraffic = after !== null && last !== null && seen.session.cursor !== current.cursor;
    const polled = { ...looked.session, lastPolledAt: isoTime(now) };
    return {
      session: isTraffic ? afterTraffic(polled, last) : polled,
      events: [...seen.events, ...looked.events],
      restarted: seen.restarted,
    };
  };
  const { sessions } = context.services.messaging;
  const session = sessions.get(known.session.sessionId);
  if (!session) return POSTPONED;
  const seen = observe(session, context.clock.now());
  const isQuiet =
    seen.events.length === 0 &&
    seen.session.cursor === session.cursor &&
    seen.session.serverBootAt === session.serverBootAt &&
    seen.session.members === session.members;
  if (seen.restarted) context.log.warn({ session: label(session) }, "the server lost the session's messages");
  if (!isQuiet)
    await change(
      context,
      session,
      (current, now) => (isActive(current) ? observe(current, now) : undefined),
      // Messages have waited for their poll for much longer.
      { canWait: true },
    );
  else if (isActive(session)) sessions.put(seen.session);
  const messages = seen.events.filter(({ type }) => type === "messaging.message.received").length;
  return { kind: "polled", messages };
}

/** Notes that the members are asked for now, where it is time. */
function areMembersDue({ clock }: JobContext, known: Known): boolean {
  const now = clock.monotonic();
  if (now - known.membersAskedAt < MEMBERS_EVERY_MS) return false;
  known.membersAskedAt = now;
  return true;
}

/** In memory only after it is on disk: a commit that failed is met by the same page again. */
async function change(
  context: JobContext,
  { sessionId }: LastingSession,
  make: (current: Session, now: number) => SessionChange | undefined,
  { canWait = false, ...key }: { sessionKey?: string; canWait?: boolean } = {},
): Promise<void> {
  const effect = {
    sessionId,
    change: (current: Session | undefined, now: number) => current && make(current, now),
    ...key,
  };
  await context.services.messaging.changes.apply([effect], context.clock.now, async ([observation]) => {
    if (observation) await context.store.commitObservation({ ...observation, canWait });
    return { isCommitted: true };
  });
}

/** A server that was restarted has forgotten its messages, and often only its uptime says so. */
function isHealthDue({ services, clock }: JobContext, server: MessagingServer): boolean {
  const { isAsking, checkedAt } = services.messaging.boot(server.baseUrl);
  return !isAsking && (checkedAt === null || clock.monotonic() - checkedAt >= HEALTH_EVERY_MS);
}

async function checkHealth({ services, clock }: JobContext, server: MessagingServer): Promise<void> {
  const boot = services.messaging.boot(server.baseUrl);
  boot.isAsking = true;
  try {
    const { uptime } = await server.health();
    boot.checkedAt = clock.monotonic();
    // Wall time, since it is compared over restarts; it goes on steadily while the wall's clock is put right.
    boot.offsetMs ??= clock.now() - boot.checkedAt;
    boot.bootAt = typeof uptime === "number" ? boot.offsetMs + boot.checkedAt - uptime * 1000 : null;
  } finally {
    boot.isAsking = false;
  }
}

/** What a log line may say of a session. */
const label = (session: LastingSession) => session.alias ?? `${session.sessionId.slice(0, 6)}…`;
