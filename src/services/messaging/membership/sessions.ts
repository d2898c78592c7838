// The sessions in memory, and whose turn it is on each server: the pacing chooses among the active ones.

import { type Clock, isoTime } from "../../../core/clock.ts";
import { createPacing, type Pacing } from "../pacing/pacing.ts";
import { createRenewals, type Renewals } from "./renewals.ts";
import type { Session } from "./session.ts";

const LONGEST_PAUSE_MS = 5 * 60_000;
/** How long a server may take to answer before the concurrency limit slows down the pace. */
const SLOW_ANSWER_MS = 5000;
const FEWEST_PLACES = 4;
const MOST_PLACES = 16;

/** How a session's turn ended. */
export type Turn =
  /** It was polled, and others had written this many messages. */
  | { kind: "polled"; messages: number }
  /** The turn was used for something else that succeeded: joining, renewing. */
  | { kind: "served" }
  /** An error about this session alone: it pauses, longer each time. */
  | { kind: "refused" }
  /** Another failure, most likely of the network: it says nothing about the session. */
  | { kind: "postponed" };

/** A session without what each poll changes. */
export type LastingSession = Omit<Session, "lastPolledAt" | "pacing">;

/**
 * A session in memory. What each poll changes is stored as numbers, updated in place: with thousands of polls a second,
 * allocations would cost more than the polls.
 */
export interface Known {
  session: Readonly<LastingSession>;
  /** Its number in this set. */
  readonly slot: number;
  /** When it was last polled, in ms since the epoch; NaN: never. */
  polledAtMs: number;
  /** The code of the refusal that was last logged; undefined: none since it was polled. */
  shownCode: string | undefined;
  /** When its server was last asked for its description, on the monotonic clock. */
  describedAt: number;
  /** When its members were last requested, on the monotonic clock. */
  membersAskedAt: number;
  /** When it was last read from its start for lack of an uptime, on the monotonic clock. */
  wholeReadAt: number;
}

export interface SessionSet {
  /** What is known of the session, as it is now. */
  get(sessionId: string): Session | undefined;
  /** Adds the session, or replaces what is known of it. */
  put(session: Session): void;
  remove(sessionId: string): void;
  all(): readonly LastingSession[];
  /** All, including what each poll changes. */
  known(): readonly Known[];
  /** The servers with sessions that are polled or waiting to be joined. */
  servers(): readonly string[];
  /** Takes the session of a server whose turn it is; undefined: none is free. */
  take(baseUrl: string): Known | undefined;
  /** Returns it after its turn. */
  release(known: Known, turn: Turn): void;
  /**
   * Takes the session of a server that is to be renewed now; undefined: none. If it is not renewed, it comes again
   * later.
   */
  takeRenewal(baseUrl: string): Known | undefined;
  /** The server refused to renew it. */
  renewalRefused(known: Known): void;
  /** nexusd sent a message in it: an answer is likely. */
  sent(sessionId: string): void;
  /** How many sessions of a server were refused at their last turn, or their renewal. */
  refused(baseUrl: string): number;
}

interface Limits {
  requests_per_minute: number;
  reserve_per_minute: number;
}

/** Whether it is polled or waiting to be joined. */
export const isActive = (session: { state: string }) =>
  session.state === "new" || session.state === "joining" || session.state === "joined";

/** The constant pace of the polls of one server, which leaves the reserve to writes and renewals. */
export const pollPaceMs = (limits: Limits): number =>
  60_000 / (limits.requests_per_minute - limits.reserve_per_minute);

/** How many polls of one server may run at once, so that slow answers do not slow down the pace. */
export const pollPlaces = (limits: Limits): number =>
  Math.min(MOST_PLACES, Math.max(FEWEST_PLACES, Math.ceil(SLOW_ANSWER_MS / pollPaceMs(limits))));

/** The turns of one server. */
interface Turns {
  /** Joined sessions, in the order in which messages would wait longest. */
  pacing: Pacing;
  /** Sessions waiting to be joined, in turn. */
  joins: Pacing;
  /** Polls since the last join. */
  pollsSinceJoin: number;
  /** How often each session was refused since its last success. */
  refusals: Map<string, number>;
  renewals: Renewals;
}

export function createSessionSet(options: {
  clock: Pick<Clock, "now" | "monotonic">;
  /** The time from one poll of a server to the next, over all its sessions. */
  paceMs: number;
  maxStalenessMs: number;
}): SessionSet {
  const { clock } = options;
  // Wall time, since the estimates outlive the process; it runs steadily while the wall clock is corrected.
  const offsetMs = clock.now() - clock.monotonic();
  const now = () => offsetMs + clock.monotonic();
  const sessions = new Map<string, Known>();
  const bySlot: (Known | undefined)[] = [];
  const freeSlots: number[] = [];
  const servers = new Map<string, Turns>();
  let names: readonly string[] = [];

  const turnsOf = (sessionId: string) => servers.get(sessions.get(sessionId)?.session.baseUrl ?? "");

  function enter({ sessionId, baseUrl, pacing, state }: Session): void {
    const known = servers.get(baseUrl);
    const turns = known ?? {
      pacing: createPacing(options),
      joins: createPacing(options),
      pollsSinceJoin: POLLS_PER_JOIN,
      refusals: new Map<string, number>(),
      renewals: createRenewals(clock, (slot) => bySlot[slot]?.session),
    };
    if (state === "joined") {
      turns.joins.remove(sessionId);
      turns.pacing.add(sessionId, now(), pacing ?? undefined);
    } else {
      turns.pacing.remove(sessionId);
      turns.joins.add(sessionId, now());
    }
    if (known) return;
    servers.set(baseUrl, turns);
    names = [...servers.keys()];
  }

  function leave({ session: { sessionId, baseUrl }, slot }: Known): void {
    const turns = servers.get(baseUrl);
    if (!turns) return;
    turns.pacing.remove(sessionId);
    turns.joins.remove(sessionId);
    turns.refusals.delete(sessionId);
    turns.renewals.remove(slot);
    if (turns.pacing.size() + turns.joins.size() > 0) return;
    servers.delete(baseUrl);
    names = [...servers.keys()];
  }

  return {
    get(sessionId) {
      const known = sessions.get(sessionId);
      if (!known) return undefined;
      const { session, polledAtMs } = known;
      return {
        ...session,
        lastPolledAt: Number.isNaN(polledAtMs) ? null : isoTime(polledAtMs),
        pacing: servers.get(session.baseUrl)?.pacing.estimate(sessionId) ?? null,
      };
    },
    put(session) {
      const { pacing: _, lastPolledAt, ...lasting } = session;
      const { sessionId, baseUrl } = session;
      const before = sessions.get(sessionId);
      if (before && before.session.baseUrl !== baseUrl) leave(before);
      const known = before ?? newKnown(lasting, freeSlots.pop() ?? bySlot.length);
      const isSame = before !== undefined && livesAs(before.session, session);
      if (!isSame) known.describedAt = Number.NEGATIVE_INFINITY;
      known.session = lasting;
      known.polledAtMs = lastPolledAt === null ? Number.NaN : Date.parse(lastPolledAt);
      sessions.set(sessionId, known);
      bySlot[known.slot] = known;
      if (isActive(session)) enter(session);
      else leave(known);
      const renewals = servers.get(baseUrl)?.renewals;
      if (session.state !== "joined") renewals?.remove(known.slot);
      else if (!isSame) renewals?.put(known.slot);
    },
    remove(sessionId) {
      const known = sessions.get(sessionId);
      if (!known) return;
      leave(known);
      sessions.delete(sessionId);
      bySlot[known.slot] = undefined;
      freeSlots.push(known.slot);
    },
    all: () => Array.from(sessions.values(), ({ session }) => session),
    known: () => [...sessions.values()],
    servers: () => names,
    take(baseUrl) {
      const turns = servers.get(baseUrl);
      const id = turns && nextTurn(turns, now());
      return id === undefined ? undefined : sessions.get(id);
    },
    release(known, turn) {
      const { sessionId, baseUrl } = known.session;
      const turns = servers.get(baseUrl);
      if (!turns) return;
      const { pacing, joins, refusals } = turns;
      // It is in one of the two; the other ignores it.
      if (turn.kind === "polled") pacing.polled(sessionId, now(), turn.messages);
      else if (turn.kind === "served") pacing.returned(sessionId, now());
      else pacing.failed(sessionId, now());
      joins.failed(sessionId, now());
      if (turn.kind === "refused") {
        const count = (refusals.get(sessionId) ?? 0) + 1;
        refusals.set(sessionId, count);
        const untilMs = now() + Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** count);
        pacing.pause(sessionId, untilMs);
        joins.pause(sessionId, untilMs);
      } else if (turn.kind !== "postponed") {
        refusals.delete(sessionId);
        known.shownCode = undefined;
      }
    },
    takeRenewal(baseUrl) {
      const slot = servers.get(baseUrl)?.renewals.take() ?? -1;
      return slot < 0 ? undefined : bySlot[slot];
    },
    renewalRefused: ({ session: { baseUrl }, slot }) => servers.get(baseUrl)?.renewals.refused(slot),
    sent: (sessionId) => turnsOf(sessionId)?.pacing.sent(sessionId, now()),
    refused(baseUrl) {
      const turns = servers.get(baseUrl);
      return turns ? turns.refusals.size + turns.renewals.countRefused() : 0;
    },
  };
}

/** After a join, one poll is for the new session and one for those from before. */
const POLLS_PER_JOIN = 2;

/**
 * No matter how many joins there are, no session waits too long. If the budget allows that for all, joins come first,
 * since a session that is not joined in time is gone; otherwise joins and polls alternate.
 */
function nextTurn(turns: Turns, nowMs: number): string | undefined {
  const { pacing, joins } = turns;
  pacing.expect(joins.size());
  const isTurn = turns.pollsSinceJoin >= POLLS_PER_JOIN || pacing.isAmple();
  const isPoll = !isTurn || joins.size() === 0 || pacing.isOverdue(nowMs);
  const polled = isPoll ? pacing.next(nowMs, turns.pollsSinceJoin % 2 === 0) : undefined;
  const joined = polled === undefined ? joins.next(nowMs) : undefined;
  const id = polled ?? joined ?? pacing.next(nowMs);
  if (id !== undefined) turns.pollsSinceJoin = id === joined ? 0 : turns.pollsSinceJoin + 1;
  return id;
}

/** Whether its lifetime and server are unchanged. */
const livesAs = (a: LastingSession, b: LastingSession): boolean =>
  a.expiresAt === b.expiresAt && a.ttlMs === b.ttlMs && a.state === b.state && a.baseUrl === b.baseUrl;

const newKnown = (session: LastingSession, slot: number): Known => ({
  session,
  slot,
  polledAtMs: Number.NaN,
  shownCode: undefined,
  describedAt: Number.NEGATIVE_INFINITY,
  membersAskedAt: Number.NEGATIVE_INFINITY,
  wholeReadAt: Number.NEGATIVE_INFINITY,
});
