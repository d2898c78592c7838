// Keeps nexusd in a session: joins it, asks how long it lives, renews it, and notices when it has ended.

import { isoTime } from "../../../core/clock.ts";
import { HttpError } from "../../../http/errors.ts";
import type { JobContext } from "../../job.ts";
import type { MessagingServer } from "../client.ts";
import { agentsOf } from "../operations/common.ts";
import { isAnswer } from "./boot.ts";
import type { SessionChange } from "./changes.ts";
import {
  afterDescription,
  afterJoin,
  afterRefusal,
  afterRemoval,
  afterRenewal,
  isEnding,
  isNotMember,
} from "./membership.ts";
import type { Session } from "./session.ts";
import { isActive, type Known, type LastingSession, type Turn } from "./sessions.ts";

/** A member for this long was removed for inactivity, not thrown out. */
const CALM_MS = 5 * 60_000;
const LONGEST_WAIT_MS = 5 * 60_000;

const SERVED: Turn = { kind: "served" };
export const POSTPONED: Turn = { kind: "postponed" };

/** An answer about one session alone: the service answered, even if with an error. */
export const isAboutOneSession = (error: unknown): error is HttpError =>
  error instanceof HttpError &&
  !error.retryable &&
  (error.kind === "status" || error.kind === "invalid_body" || error.kind === "too_large");

/**
 * It must not slow the others down, but has to be seen; it is logged once, until the session was polled or the error
 * changes.
 */
export function showRefusal(context: JobContext, known: Known, error: HttpError): void {
  context.degraded({ code: error.code, message: error.message });
  const level = known.shownCode === error.code ? "debug" : "warn";
  known.shownCode = error.code;
  context.log[level]({ session: label(known.session), code: error.code }, error.message);
}

/** A turn that was not used for a poll. */
export async function served(
  context: JobContext,
  session: LastingSession,
  work: Promise<void>,
): Promise<Turn> {
  try {
    await work;
  } catch (error) {
    return ended(context, session, error);
  }
  return SERVED;
}

/** A turn whose failure means the end of the session; other failures are thrown again. */
export async function ended(context: JobContext, session: LastingSession, error: unknown): Promise<Turn> {
  // Taken although nexusd was in: the server let it in before, and may do so again.
  const isTakenBack = codeOf(error) === "agent_id_taken" && session.joinedAt !== null;
  const known = context.services.messaging.sessions.get(session.sessionId);
  const end = isTakenBack || !known ? undefined : afterRefusal(known, error);
  if (!end) throw error;
  await change(
    context,
    session,
    (current) => (isActive(current) ? afterRefusal(current, error) : undefined),
    // The key of an ended session is useless; that of a lost one may still be valid.
    end.session.state === "expired" ? { sessionKey: null } : {},
  );
  context.log.warn({ reason: end.session.reason?.code, session: label(session) }, "session ended");
  return SERVED;
}

const codeOf = (error: unknown) => (error instanceof HttpError ? error.code : undefined);

/** The server has certainly not let nexusd in. */
const isCertain = (error: unknown) =>
  error instanceof HttpError &&
  (!error.maybeSent || (error.kind === "status" && (error.status ?? 500) < 500));

export async function join(
  context: JobContext,
  server: MessagingServer,
  session: LastingSession,
): Promise<void> {
  // On disk before the request: after a crash in between, "agent id taken" means that nexusd is in. So no other agent
  // may be in under the same id.
  const wasJoining = session.state === "joining";
  const description = session.state === "new" ? await described(context, server, session) : undefined;
  if (agentsOf(description)?.includes(session.agentId)) throw taken();
  if (!wasJoining)
    await change(context, session, (current) =>
      isActive(current) ? { session: { ...current, state: "joining" }, events: [] } : undefined,
    );
  let answer: Awaited<ReturnType<MessagingServer["join"]>> = {};
  try {
    answer = await server.join(session.sessionId, session.agentId);
  } catch (error) {
    const isTaken = codeOf(error) === "agent_id_taken";
    // There is no doubt: if the id is taken next time, then by another agent.
    if (!wasJoining && !isTaken && isCertain(error))
      await change(context, session, (current) =>
        current.state === "joining" ? { session: { ...current, state: "new" }, events: [] } : undefined,
      );
    if (!wasJoining || !isTaken) throw error;
    context.log.warn({ session: label(session) }, "joined before a crash; its session key is unknown");
  }
  const { changes, sessions } = context.services.messaging;
  const isWanted = sessions.get(session.sessionId)?.state === "joining" && !changes.isHeld(session.sessionId);
  if (!isWanted) {
    // Left during the request: leave again.
    if (answer.sessionKey) await server.leave(session.sessionId, session.agentId, answer.sessionKey);
    return;
  }
  // If it was left meanwhile, it stays left. The next turn asks what the session is.
  await change(
    context,
    session,
    (current, now) => {
      if (current.state !== "joining") return undefined;
      const joined = afterJoin({ ...current, ttlMs: null }, now, answer);
      return description
        ? { ...joined, session: afterDescription(joined.session, now, description) }
        : joined;
    },
    answer.sessionKey ? { sessionKey: answer.sessionKey } : {},
  );
  context.log.info({ session: label(session) }, "joined a session");
}

type Description = Awaited<ReturnType<MessagingServer["describe"]>>;

/** What the session is before it is first joined; undefined: the server does not say. */
async function described(
  context: JobContext,
  server: MessagingServer,
  { sessionId }: LastingSession,
): Promise<Description | undefined> {
  try {
    return await server.describe(sessionId, context.signal);
  } catch (error) {
    if (isEnding(error) || context.signal.aborted) throw error;
    context.log.debug({ err: error }, "a session could not be described before it was joined");
    return undefined;
  }
}

/** In the server's own words. */
const taken = () =>
  new HttpError({
    ...{ kind: "status", service: "messaging", label: "POST /v1/sessions/:id/join", status: 409 },
    ...{ code: "agent_id_taken", retryable: false, maybeSent: true },
    message: "messaging: another agent uses this agent id in the session",
  });

/** The server has removed nexusd: it joins again, but not again and again. */
export function rejoin(
  context: JobContext,
  server: MessagingServer,
  known: Known,
  error: unknown,
): Promise<Turn> {
  const { session } = known;
  if (context.services.messaging.changes.isHeld(session.sessionId)) return Promise.resolve(POSTPONED);
  if (!context.config.messaging.auto_rejoin)
    return served(
      context,
      session,
      change(context, session, (current) => (isActive(current) ? afterRemoval(current) : undefined)),
    );
  if (!mayRejoin(known, context.clock.monotonic())) return Promise.reject(error);
  return served(context, session, join(context, server, session));
}

/** Records the attempt: if nexusd is removed soon after, it waits, longer each time. */
function mayRejoin(known: Known, now: number): boolean {
  const last = rejoins.get(known);
  if (last && now < last.until) return false;
  const isCalm = !last || now - last.until > CALM_MS;
  const waitMs = isCalm ? 1000 : Math.min(LONGEST_WAIT_MS, 2 * last.waitMs);
  rejoins.set(known, { waitMs, until: now + waitMs });
  return true;
}

/** For each session that was rejoined: how long to wait if it is removed, on the monotonic clock. */
const rejoins = new WeakMap<Known, { waitMs: number; until: number }>();

/** If the server does not say what the session is, it is polled anyway, with the usual lifetime. */
export async function describe(context: JobContext, server: MessagingServer, known: Known): Promise<void> {
  const { session } = known;
  let answer: Description = {};
  try {
    answer = await server.describe(session.sessionId, context.signal);
  } catch (error) {
    if (isEnding(error) || !(isAboutOneSession(error) || isAnswer(error))) throw error;
    showRefusal(context, known, error);
    // It is polled meanwhile, and renewed at once, which also tells how long it lives.
    if (error.retryable)
      return change(context, session, (current, now) =>
        isActive(current) ? { session: { ...current, expiresAt: isoTime(now) }, events: [] } : undefined,
      );
  }
  await change(context, session, (current, now) =>
    isActive(current) ? { session: afterDescription(current, now, answer), events: [] } : undefined,
  );
}

/** A failed renewal is tried again later; meanwhile the session is polled. */
export async function renew(context: JobContext, server: MessagingServer, known: Known): Promise<void> {
  const { session } = known;
  const { sessions } = context.services.messaging;
  const ttlSeconds = session.ttlMs === null ? null : Math.round(session.ttlMs / 1000);
  let answer: Awaited<ReturnType<MessagingServer["renew"]>>;
  try {
    answer = await server.renew(session.sessionId, session.agentId, ttlSeconds, context.signal);
  } catch (error) {
    // Its next poll finds out, too, and rejoins it.
    if (isNotMember(error)) return;
    if (isEnding(error)) return void (await ended(context, session, error));
    if (context.signal.aborted) throw error;
    sessions.renewalRefused(known);
    // Polls show whether the server is well.
    if (!isAboutOneSession(error) && !isAnswer(error)) throw error;
    return showRefusal(context, known, error);
  }
  await change(context, session, (current, now) =>
    isActive(current) ? afterRenewal(current, now, answer) : undefined,
  );
}

/** In memory only once it is on disk: after a failed commit the same page comes again. */
export async function change(
  context: JobContext,
  { sessionId }: LastingSession,
  make: (current: Session, now: number) => SessionChange | undefined,
  { canWait = false, ...key }: { sessionKey?: string | null; canWait?: boolean } = {},
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

/** How a log line names a session. */
export const label = (session: LastingSession) => session.alias ?? `${session.sessionId.slice(0, 6)}…`;
