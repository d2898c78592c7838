// This node's part of a request budget that several nodes share: slots, each the right to send one request at a time
// and then none for a window. A node keeps its slots while it needs them and uses each again after its window, so that
// a busy node asks the database every few seconds only, whatever it sends.
//
// B1  The slots of all holders together are never more than the limit: each change of the ledger replaces the value
//     that it was computed from, or nothing.
// B2  A slot is used only within USABLE_MS of the last successful sync, counted from before the ledger was read.
// B3  What is written of a slot covers whatever its holder may still do with it, without another sync, until the server
//     cannot count it any more. So others may take it once that time has passed, however this node ended or stalled.
// B4  A holder that finds the ledger other than it left it, or too old, gives up its unused slots.

import { randomUUID } from "node:crypto";
import type { SharedValues } from "../contract/shared-values.ts";
import type { Clock } from "../core/clock.ts";
import { type Holding, parseLedger, type SharedLedger, Sightings } from "./shared-ledger.ts";
import type { BudgetLimits, Priority } from "./shares.ts";

/** How often a busy node syncs. */
const SYNC_MS = 3000;
/** The same while a request that must not wait for long has no slot, and after a failure. */
const SOON_MS = 500;
const USABLE_MS = 10_000;
/** At most so often, if there was room at the last sync. */
const LEAST_MS = 50;
/** What a node takes more than it needs at once, where no other waits: so that a burst costs few syncs. */
const LEAST_BATCH = 5;
/**
 * The longest time from the moment when a request may begin to its end that is covered for a node which cannot sync
 * meanwhile, because it stalls or has lost the database.
 */
const EXCHANGE_MS = 90_000;
/** After that, a request does not begin any more: the rest of the time is for its exchange. */
const BEGIN_WITHIN_MS = 60_000;
/** Attempts to replace the ledger at once, where other nodes replaced it in between. */
const MOST_TRIES = 8;
/** Times are written in this resolution, rounded up. */
const RESOLUTION_MS = 1000;

/** The budget as its shared part sees it. */
export interface Owner {
  limits(): BudgetLimits;
  /** Requests of this node that count now. */
  count(): number;
  /** Those of them that have ended. */
  ended(): { endedAt: number; requests: number }[];
  waiting(): Record<Priority, number>;
  /** More can be granted now, perhaps. */
  advance(): void;
  /** The server asked another node to be left alone until then, by `clock.monotonic()`. */
  quiet(untilMs: number): void;
}

export interface SharedPart {
  /** Slots of the other nodes, as last read. */
  others(): number;
  /** Whether this node has a slot for one more request. */
  hasSlot(): boolean;
  /** Call it when a request waits. */
  ask(): void;
  began(): void;
  /** Whether a request that gets its slot now has become too late, each time it is asked. */
  lateness(): () => boolean;
  ended(): void;
  /** The server asked to be left alone until then. */
  quiet(untilMs: number): void;
  /** Gives back what is not in use; nothing is sent from then on. */
  leave(): Promise<void>;
}

export interface SharedOptions {
  values: SharedValues;
  /** The name of the ledger. */
  name: string;
  /** Shown in the ledger. */
  node: string;
  /** The start of this machine, as `readBootId`. */
  boot: string;
  windowMs: number;
  clock: Clock;
  /** Called once for each outage, and with undefined at its end. */
  onFailure: (error: unknown) => void;
}

interface Plan {
  ledger: SharedLedger;
  beat: number;
  at: number;
  others: number;
  /** What this node has after it. */
  held: number;
  /** Slots of it that it gives away as they become free. */
  withheld: number;
  /** Whether a request waits for a slot that there was none of. */
  isShort: boolean;
}

export function createSharedPart(options: SharedOptions, owner: Owner): SharedPart {
  const { values, name, clock, windowMs, onFailure } = options;
  const id = `${options.node} ${randomUUID()}`;
  const sightings = new Sightings(options.boot);
  const reusableMs = USABLE_MS + EXCHANGE_MS + windowMs;
  let beat = 0;
  let held = 0;
  let withheld = 0;
  let others = 0;
  /** When the last successful sync began. */
  let syncedAt = Number.NEGATIVE_INFINITY;
  /** Requests that began since then, and changes of what it wrote. */
  let begun = 0;
  let isChanged = false;
  let quiet: { id: string; until: number } | undefined;
  let syncing: Promise<void> | undefined;
  let alarm: { at: number; off: () => void } | undefined;
  /** When the last sync began, and whether it found too few slots. */
  let triedAt = Number.NEGATIVE_INFINITY;
  let wasShort = false;
  let hasFailed = false;
  let isClosed = false;

  const isUsable = (now: number) => now < syncedAt + USABLE_MS;

  const waitingNow = () => {
    const { people, renewals, watches, agent_reads, agent_writes } = owner.waiting();
    return { urgent: people + renewals, writes: agent_writes, shared: watches + agent_reads };
  };
  const waitingInAll = () => {
    const { urgent, writes, shared } = waitingNow();
    return urgent + writes + shared;
  };

  /** What this node writes of its own slots (B3). @param unused beside those of its requests */
  const ownSlots = (unused: number, now: number): Holding["slots"] => {
    const groups = new Map<number, number>();
    const add = (ms: number, slots: number) => {
      const rounded = Math.ceil(ms / RESOLUTION_MS) * RESOLUTION_MS;
      if (slots > 0) groups.set(rounded, (groups.get(rounded) ?? 0) + slots);
    };
    let left = owner.count() + unused;
    for (const { endedAt, requests } of owner.ended()) {
      const ms = endedAt + windowMs - now;
      if (ms <= USABLE_MS) continue;
      add(ms, requests);
      left -= requests;
    }
    add(reusableMs, left);
    return [...groups];
  };

  /** How many of its slots become free before the next sync. */
  const freeSoon = (now: number) =>
    owner
      .ended()
      .reduce(
        (sum, { endedAt, requests }) => (endedAt + windowMs <= now + SYNC_MS ? sum + requests : sum),
        0,
      );

  /** The next value of the ledger, by what it is now. */
  const plan = (text: string | undefined, isLast: boolean): Plan => {
    const ledger = parseLedger(text);
    const now = clock.monotonic();
    const own = ledger.holders[id];
    const count = owner.count();
    let theirs = 0;
    let rivals = 0;
    let urgentRivals = 0;
    for (const [other, holding] of Object.entries(ledger.holders)) {
      if (other === id) continue;
      const seen = sightings.look(other, holding, now);
      if (seen.isOver) delete ledger.holders[other];
      theirs += seen.slots;
      if (seen.isWaiting) rivals += 1;
      if (seen.isUrgent) urgentRivals += 1;
    }
    sightings.keep(new Set(Object.keys(ledger.holders)));

    // B4: `own` may be missing, from an attempt with an unknown outcome, or judged by others in the meantime.
    const isOwn = own?.beat === beat && isUsable(now);
    const unused = isOwn ? Math.max(0, held - count) : 0;
    const waiting = isLast ? { urgent: 0, writes: 0, shared: 0 } : waitingNow();
    const waits = waiting.urgent + waiting.writes + waiting.shared;
    const { limit, reserve } = owner.limits();
    // What others took of the reserve is missing here, unless people wait.
    const allowed = waiting.urgent + Math.max(0, limit - reserve - theirs - count);
    const kept = isLast ? 0 : Math.max(0, Math.min(unused - withheld, Math.max(waits, begun), allowed));
    const fair = Math.ceil((limit - reserve) / (rivals + 1));
    let total = theirs + count + kept;
    let granted = 0;
    let spare = kept;
    const grant = (wanted: number, upTo: number) => {
      const fromSpare = Math.min(spare, wanted);
      spare -= fromSpare;
      const more = Math.max(0, Math.min(wanted - fromSpare, upTo - total));
      total += more;
      granted += more;
      return wanted - fromSpare - more;
    };
    /** Up to which total this node may take: with rivals, only up to its own share of so many slots. */
    const ceiling = (slots: number, among: number) => {
      const share = Math.ceil(slots / (among + 1));
      return Math.min(slots, among > 0 ? total + Math.max(0, share - count - kept - granted) : slots);
    };
    const urgentLeft = grant(waiting.urgent, ceiling(limit, urgentRivals));
    const writesLeft = grant(waiting.writes, ceiling(limit - Math.ceil(reserve / 2), rivals));
    const most = ceiling(limit - reserve, rivals);
    const sharedLeft = grant(waiting.shared, most);
    // What the time until the next sync needs, if it is as the time since the last one.
    if (waits > 0 && rivals === 0) grant(Math.max(begun, LEAST_BATCH) - waits, most);

    const nextHeld = count + kept + granted;
    const excess = rivals > 0 ? nextHeld - fair : 0;
    const next: Plan = {
      ...{ ledger, beat: Math.max(beat, own?.beat ?? 0) + 1, at: now, others: theirs, held: nextHeld },
      withheld: excess > 0 ? Math.min(excess, Math.ceil(freeSoon(now) / 2)) : 0,
      isShort: urgentLeft + writesLeft + sharedLeft > 0,
    };
    const wants = urgentLeft + writesLeft + sharedLeft;
    if (nextHeld === 0 && wants === 0) delete ledger.holders[id];
    else
      ledger.holders[id] = {
        ...{ beat: next.beat, boot: options.boot, at: now },
        ...{ slots: ownSlots(kept + granted, now), wants, urgent: urgentLeft },
      };
    mergeQuiet(ledger, now);
    return next;
  };

  /** What the ledger says of the quiet time, and what this node knows of it, whichever is longer. */
  const mergeQuiet = (ledger: SharedLedger, now: number): void => {
    const theirs = ledger.quiet;
    if (theirs && theirs.id !== quiet?.id && now + theirs.ms > (quiet?.until ?? now)) {
      quiet = { id: theirs.id, until: now + theirs.ms };
      owner.quiet(quiet.until);
    }
    if (!quiet) return;
    const ms = quiet.until - now;
    // The earliest end that anybody knows of the same answer: otherwise each reading would put it off.
    if (theirs?.id === quiet.id)
      ledger.quiet = ms <= 0 ? null : { id: quiet.id, ms: Math.min(ms, theirs.ms) };
    else ledger.quiet = ms <= 0 ? theirs : { id: quiet.id, ms };
  };

  const attempt = async (isLast: boolean): Promise<boolean> => {
    for (let tries = 1; tries <= MOST_TRIES; tries++) {
      const found = await values.read(name);
      const next = plan(found?.text, isLast);
      const before = held;
      // From here on what is given back is not used, whether or not the answer arrives.
      held = Math.min(held, next.held);
      const beganBefore = begun;
      const usableBefore = syncedAt;
      if (!(await values.swap(name, found?.version ?? 0, JSON.stringify(next.ledger)))) {
        // Certainly not written, so that nothing was given back.
        held = before;
        continue;
      }
      beat = next.beat;
      ({ held, withheld, others } = next);
      syncedAt = Math.max(usableBefore, next.at);
      begun -= beganBefore;
      isChanged = begun > 0;
      return next.isShort;
    }
    throw new Error(`the ledger ${name} was changed by others at each of ${MOST_TRIES} attempts`);
  };

  const sync = (isLast = false): Promise<void> => {
    triedAt = clock.monotonic();
    syncing ??= attempt(isLast)
      .then(
        (isShort) => {
          wasShort = isShort;
          if (hasFailed) onFailure(undefined);
          hasFailed = false;
        },
        (error: unknown) => {
          if (!hasFailed) onFailure(error);
          hasFailed = true;
        },
      )
      .then(() => {
        syncing = undefined;
        setAlarm(nextAt());
        owner.advance();
      });
    return syncing;
  };

  const pauseMs = () => (hasFailed || waitingNow().urgent > 0 ? SOON_MS : SYNC_MS);

  /** When there is something to write again; undefined: not before a request waits. */
  const nextAt = (): number | undefined => {
    const count = owner.count();
    if (waitingInAll() > 0 || (hasFailed && held > 0)) return triedAt + pauseMs();
    if (held === 0 && count === 0) return undefined;
    const ended = owner.ended();
    const inProgress = ended.reduce((left, { requests }) => left - requests, count);
    const last = ended.at(-1);
    if (isChanged || held > count || inProgress > 0 || !last) return triedAt + SYNC_MS;
    // Only slots that must not be used yet: they are given back when the last of them is free.
    return Math.max(triedAt + SYNC_MS, last.endedAt + windowMs);
  };

  const setAlarm = (at: number | undefined) => {
    alarm?.off();
    alarm = undefined;
    if (at === undefined || isClosed) return;
    const ring = () => {
      alarm = undefined;
      void sync();
    };
    alarm = { at, off: clock.after(at - clock.monotonic(), ring) };
  };

  const syncBy = (at: number) => {
    if (isClosed || syncing) return;
    if (at <= clock.monotonic()) {
      setAlarm(undefined);
      void sync();
    } else if (!alarm || alarm.at > at) setAlarm(at);
  };

  const hasSlot = () => !isClosed && owner.count() < held - withheld && isUsable(clock.monotonic());

  return {
    others: () => others,
    hasSlot,
    ask() {
      syncBy(triedAt + (hasFailed || wasShort || hasSlot() ? pauseMs() : LEAST_MS));
    },
    began() {
      begun += 1;
      isChanged = true;
      syncBy(triedAt + SYNC_MS);
    },
    lateness() {
      const by = clock.monotonic() + BEGIN_WITHIN_MS;
      return () => clock.monotonic() > by;
    },
    ended() {
      isChanged = true;
      syncBy(triedAt + SYNC_MS);
    },
    quiet(untilMs) {
      if (quiet && untilMs <= quiet.until) return;
      quiet = { id: randomUUID(), until: untilMs };
      syncBy(clock.monotonic());
    },
    async leave() {
      isClosed = true;
      setAlarm(undefined);
      await syncing;
      await sync(true);
    },
  };
}
