// The sessions in memory, and whose turn it is on each server: the pacing decides among those that are active.

import type { Clock } from "../../scheduler/clock.ts";
import { createPacing, type Pacing } from "./pacing.ts";
import type { Session } from "./session.ts";

const LONGEST_PAUSE_MS = 5 * 60_000;
/** A server may take so long to answer before the number of its places slows down the pace. */
const USUAL_ANSWER_MS = 1000;
const FEWEST_PLACES = 4;
const MOST_PLACES = 16;

/** How a session's turn ended. */
export type Turn =
  /** It was polled, and others had written so many messages. */
  | { kind: "polled"; messages: number }
  /** The turn went to something else that succeeded: joining, renewing. */
  | { kind: "served" }
  /** An answer that concerns this session alone: it pauses, longer each time. */
  | { kind: "refused" }
  /** Something else failed, the network most likely: nothing is known about the session. */
  | { kind: "postponed" };

export interface SessionSet {
  /** What is known of the session. Its `pacing` and `lastPolledAt` are as of now, and go on changing with its turns. */
  get(sessionId: string): Session | undefined;
  /** Adds the session, or replaces what is known of it. */
  put(session: Session): void;
  /** A poll found nothing new. In place: what each poll leaves behind anew is what costs most, in the end. */
  polled(sessionId: string, at: string): void;
  all(): Session[];
  /** The servers with sessions that are polled or wait to be joined. */
  servers(): readonly string[];
  /** Takes the session of a server whose turn it is; undefined: none, or all have theirs now. */
  take(baseUrl: string): Session | undefined;
  /** Gives it back after its turn. */
  release(sessionId: string, turn: Turn): void;
  /** An own message was sent in it: an answer is likely. */
  sent(sessionId: string): void;
  /** How many sessions of a server were refused at their last turn. */
  refused(baseUrl: string): number;
}

interface Limits {
  requests_per_minute: number;
  reserve_per_minute: number;
}

/** Whether it is polled or waits to be joined. */
export const isActive = (session: { state: string }) =>
  session.state === "new" || session.state === "joining" || session.state === "joined";

/** The constant pace of the polls of one server, which leaves the reserve to writes and renewals. */
export const pollPaceMs = (limits: Limits): number =>
  60_000 / (limits.requests_per_minute - limits.reserve_per_minute);

/** How many polls of one server may be under way at once, so that its answers do not slow down the pace. */
export const pollPlaces = (limits: Limits): number =>
  Math.min(MOST_PLACES, Math.max(FEWEST_PLACES, Math.ceil(USUAL_ANSWER_MS / pollPaceMs(limits))));

/** The turns of one server. */
interface Turns {
  pacing: Pacing;
  /** How often each session was refused since it last was not. */
  refusals: Map<string, number>;
}

export function createSessionSet(options: {
  clock: Pick<Clock, "now" | "monotonic">;
  /** The time from one poll of a server to the next, over all its sessions. */
  paceMs: number;
  maxStalenessMs: number;
}): SessionSet {
  const { clock } = options;
  // Wall time, since the estimates outlive the process; it goes on steadily while the wall's clock is put right.
  const offsetMs = clock.now() - clock.monotonic();
  const now = () => offsetMs + clock.monotonic();
  const sessions = new Map<string, Session>();
  const servers = new Map<string, Turns>();
  let names: readonly string[] = [];

  const turnsOf = (sessionId: string) => servers.get(sessions.get(sessionId)?.baseUrl ?? "");

  function enter({ sessionId, baseUrl, pacing }: Session): Turns {
    const known = servers.get(baseUrl);
    const turns = known ?? { pacing: createPacing(options), refusals: new Map<string, number>() };
    turns.pacing.add(sessionId, now(), pacing ?? undefined);
    if (known) return known;
    servers.set(baseUrl, turns);
    names = [...servers.keys()];
    return turns;
  }

  function leave({ sessionId, baseUrl }: Session): void {
    const turns = servers.get(baseUrl);
    if (!turns) return;
    turns.pacing.remove(sessionId);
    turns.refusals.delete(sessionId);
    if (turns.pacing.size() > 0) return;
    servers.delete(baseUrl);
    names = [...servers.keys()];
  }

  return {
    get: (sessionId) => sessions.get(sessionId),
    put(session) {
      const { sessionId } = session;
      const before = sessions.get(sessionId);
      if (before && before.baseUrl !== session.baseUrl) leave(before);
      if (isActive(session)) {
        const estimate = enter(session).pacing.estimate(sessionId) ?? null;
        sessions.set(sessionId, session.pacing === estimate ? session : { ...session, pacing: estimate });
      } else {
        leave(session);
        sessions.set(sessionId, session);
      }
    },
    polled(sessionId, at) {
      const session = sessions.get(sessionId);
      if (session) session.lastPolledAt = at;
    },
    all: () => [...sessions.values()],
    servers: () => names,
    take(baseUrl) {
      const id = servers.get(baseUrl)?.pacing.next(now());
      return id === undefined ? undefined : sessions.get(id);
    },
    release(sessionId, turn) {
      const turns = turnsOf(sessionId);
      if (!turns) return;
      const { pacing, refusals } = turns;
      if (turn.kind === "polled") pacing.polled(sessionId, now(), turn.messages);
      else pacing.failed(sessionId, now());
      if (turn.kind === "refused") {
        const count = (refusals.get(sessionId) ?? 0) + 1;
        refusals.set(sessionId, count);
        pacing.pause(sessionId, now() + Math.min(LONGEST_PAUSE_MS, 1000 * 2 ** count));
      } else if (turn.kind !== "postponed") refusals.delete(sessionId);
    },
    sent: (sessionId) => turnsOf(sessionId)?.pacing.sent(sessionId, now()),
    refused: (baseUrl) => servers.get(baseUrl)?.refusals.size ?? 0,
  };
}
