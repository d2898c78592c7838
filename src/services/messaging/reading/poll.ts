// Keeps every session joined, renewed and polled: one request per step, within the budget of the server.

import { isoTime } from "../../../core/clock.ts";
import type { JobContext } from "../../job.ts";
import type { MessagingServer } from "../client.ts";
import { isAnswer } from "../membership/boot.ts";
import {
  change,
  describe,
  ended,
  isAboutOneSession,
  join,
  label,
  POSTPONED,
  rejoin,
  renew,
  served,
  showRefusal,
} from "../membership/lifecycle.ts";
import { isNotMember } from "../membership/membership.ts";
import { afterTraffic, type Session, sessionRecord } from "../membership/session.ts";
import { observeMembers } from "../membership/session-events.ts";
import { isActive, type Known, type Turn } from "../membership/sessions.ts";
import { type BootSeen, observePage, pollAfter, saysNothing } from "./observation.ts";
import type { MessagePage } from "./page.ts";

/** With the 60 s that a session may wait for its poll, a restart is noticed within two minutes. */
const HEALTH_EVERY_MS = 50_000;
/** How often a session is read from its start if no uptime reveals a restart. It costs no extra request. */
const WHOLE_EVERY_MS = 60_000;
/** A poll that also requests the members costs no extra request. */
const MEMBERS_EVERY_MS = 60_000;
const DESCRIBE_EVERY_MS = 60_000;

const NOTHING_NEW: Turn = { kind: "polled", messages: 0 };

/** One step of the job for one server: the most urgent of renewing, joining and polling. */
export async function pollStep(context: JobContext, baseUrl: string): Promise<"idle" | undefined> {
  const { sessions, server: serverAt } = context.services.messaging;
  // Without a session there is nothing to keep, and the server is not asked for anything.
  if (!isPolled(context.services, baseUrl)) {
    context.degraded(undefined);
    return undefined;
  }
  const server = serverAt(baseUrl);
  const isChecked = isHealthDue(context, server);
  if (isChecked) await checkHealth(context, server);
  // A session that is not renewed in time is gone, with all its messages.
  const due = context.config.messaging.auto_renew ? sessions.takeRenewal(baseUrl) : undefined;
  if (due) await renew(context, server, due);
  else {
    const known = sessions.take(baseUrl);
    // With nothing to poll, its health, once a minute, shows whether the service answers.
    if (!known) return isChecked ? undefined : "idle";
    let turn = POSTPONED;
    try {
      turn = await takeTurn(context, server, known);
    } catch (error) {
      if (!isAboutOneSession(error)) throw error;
      turn = { kind: "refused" };
      showRefusal(context, known, error);
    } finally {
      sessions.release(known, turn);
    }
    // Nothing was sent, which proves nothing.
    if (turn.kind === "postponed" && !isChecked) return "idle";
  }
  if (sessions.refused(baseUrl) === 0) context.degraded(undefined);
  return undefined;
}

// Not async: a quiet poll uses as few async functions as possible, since each costs more than the work.
function takeTurn(context: JobContext, server: MessagingServer, known: Known): Promise<Turn> {
  const { session } = known;
  // A write is taking nexusd out of it.
  if (context.services.messaging.changes.isHeld(session.sessionId)) return Promise.resolve(POSTPONED);
  if (session.state !== "joined") return served(context, session, join(context, server, session));
  if (isDescriptionDue(context, known)) return served(context, session, describe(context, server, known));
  return poll(context, server, known);
}

async function poll(context: JobContext, server: MessagingServer, known: Known): Promise<Turn> {
  const { messaging } = context.services;
  const { bootAt, saidAt } = messaging.boot(server.baseUrl);
  const { session } = known;
  const after = bootAt === null && isWholeDue(context, known) ? null : pollAfter(session, bootAt);
  const members = context.config.messaging.members && areMembersDue(context, known);
  let page: MessagePage;
  try {
    page = await server.poll(session.sessionId, session.agentId, after, context.signal, { members });
  } catch (error) {
    return isNotMember(error) ? rejoin(context, server, known, error) : ended(context, session, error);
  }

  const now = context.clock.now();
  if (!Number.isNaN(known.polledAtMs)) messaging.pollGaps.observe((now - known.polledAtMs) / 1000);
  // A poll without news is not worth a write to the disk.
  if (saysNothing(known.session, page, after, bootAt)) {
    if (isActive(known.session)) known.polledAtMs = now;
    return NOTHING_NEW;
  }
  return read(context, known, page, after, { bootAt, checkedAt: saidAt });
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
    // From the start, old messages come, too; after the cursor they are newer than the last poll. No server has
    // promised that own messages restart a session's lifetime.
    const isSent = page.messages.some(({ agentId }) => (agentId ?? "system") !== "system");
    const isTraffic = isSent && after !== null && last !== null && seen.session.cursor !== current.cursor;
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
    seen.session.tail === session.tail &&
    seen.session.serverBootAt === session.serverBootAt &&
    seen.session.members === session.members;
  if (seen.restarted) context.log.warn({ session: label(session) }, "the server lost the session's messages");
  if (!isQuiet)
    await change(
      context,
      session,
      (current, now) => {
        const made = isUnchanged(session, current) ? seen : observe(current, now);
        // For a session that was left meanwhile, what arrived before is still reported.
        return isActive(current) ? made : { session: current, events: made.events };
      },
      // Messages have waited much longer for their poll.
      { canWait: true },
    );
  else if (isActive(session)) sessions.put(seen.session);
  const messages = seen.events.filter(({ type }) => type === "messaging.message.received").length;
  return { kind: "polled", messages };
}

/** Whether the session is unchanged since, for example by a write: then what a page implies for it is known. */
const isUnchanged = (before: Session, now: Session): boolean =>
  WITHOUT_PACING.every((key) => before[key] === now[key]);
const WITHOUT_PACING = sessionRecord.omit({ pacing: true }).keyof().options;

/** Records the request for its description: if the server fails, the session is polled until the next time. */
function isDescriptionDue({ clock }: JobContext, known: Known): boolean {
  if (known.session.ttlMs !== null) return false;
  const now = clock.monotonic();
  if (now - known.describedAt < DESCRIBE_EVERY_MS) return false;
  known.describedAt = now;
  return true;
}

/** Records that the members are requested now, if it is time. */
function areMembersDue({ clock }: JobContext, known: Known): boolean {
  const now = clock.monotonic();
  if (now - known.membersAskedAt < MEMBERS_EVERY_MS) return false;
  known.membersAskedAt = now;
  return true;
}

/** Records that the session is read from its start now, if it is time. */
function isWholeDue({ clock }: JobContext, known: Known): boolean {
  const now = clock.monotonic();
  if (now - known.wholeReadAt < WHOLE_EVERY_MS) return false;
  known.wholeReadAt = now;
  return true;
}

/** A restarted server has lost its messages, and often only its uptime shows it. */
function isHealthDue({ services, clock }: JobContext, { baseUrl }: MessagingServer): boolean {
  const boot = services.messaging.boot(baseUrl);
  const { isAsking, askedAt } = boot;
  const isDue = askedAt === null || clock.monotonic() - askedAt >= HEALTH_EVERY_MS;
  return !isAsking && (isDue || boot.isClockMoved());
}

const isPolled = ({ messaging }: JobContext["services"], baseUrl: string) =>
  messaging.sessions.servers().includes(baseUrl);

/** The sessions of a server without a health answer are polled anyway. */
async function checkHealth({ services, log, signal }: JobContext, server: MessagingServer): Promise<void> {
  const boot = services.messaging.boot(server.baseUrl);
  const wasKnown = boot.bootAt !== null || boot.askedAt === null;
  try {
    await boot.ask(async () => (await server.health(signal)).uptime);
  } catch (error) {
    if (!isPolled(services, server.baseUrl) || !isAnswer(error)) throw error;
    if (wasKnown) log.warn({ code: error.code }, error.message);
  }
}
