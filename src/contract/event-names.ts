// The types of events by name, and suggestions for unknown ones.

import { nearest } from "../core/text/nearest.ts";
import { expandTypes, fullType } from "./event-patterns.ts";
import { type EventName, TYPE_PREFIX } from "./new-event.ts";

// The table of events itself needs zod, which takes longer to load than most commands run. The compiler checks this
// list: none is missing, and there is no other.
const ALL: Record<EventName, true> = {
  "messaging.message.received": true,
  "messaging.session.joined": true,
  "messaging.session.renewed": true,
  "messaging.session.expired": true,
  "messaging.session.lost": true,
  "messaging.session.left": true,
  "messaging.session.key_refused": true,
  "messaging.session.challenged": true,
  "messaging.session.restarted": true,
  "messaging.member.joined": true,
  "messaging.member.left": true,
  "nex.insight.received": true,
  "nex.stream.opened": true,
  "nex.stream.lost": true,
  "nex.stream.fallback": true,
  "nex.stream.gap": true,
  "nex.context.progressed": true,
  "nex.context.completed": true,
  "nex.context.failed": true,
  "nex.notification.received": true,
  "nex.notification.gap": true,
  "nexus.stock.low": true,
  "nexus.stock.recovered": true,
  "nexus.order.pending": true,
  "nexus.order.overdue": true,
  "nexus.order.advanced": true,
  "nexus.conversation.unread": true,
  "nexus.conversation.read": true,
  "nexus.conversation.message": true,
  "nexus.shipment.opened": true,
  "nexus.shipment.moved": true,
  "nexus.shipment.closed": true,
  "nexus.shipment.logged": true,
  "write.proposed": true,
  "write.signed": true,
  "write.approved": true,
  "write.rejected": true,
  "write.expired": true,
  "write.cancelled": true,
  "write.executing": true,
  "write.succeeded": true,
  "write.failed": true,
  "write.unknown": true,
  "write.resolved": true,
  "service.degraded": true,
  "service.recovered": true,
  "job.failed": true,
  "job.missed": true,
  "job.recovered": true,
  "sink.stuck": true,
  "sink.failed": true,
  "sink.recovered": true,
  "node.joined": true,
  "node.left": true,
  "node.lost": true,
  "daemon.started": true,
  "daemon.stopped": true,
};

/** All types of nexusd, without their prefix. */
export const EVENT_NAMES = Object.keys(ALL) as EventName[]; // keys() loses the key type

const FULL_NAMES = EVENT_NAMES.map(fullType);
const FIRST_PARTS = [...new Set(EVENT_NAMES.map((name) => name.slice(0, name.indexOf("."))))];

/** Every pattern that matches some of these types. */
const patternsOf = (types: readonly string[]): string[] => [
  ...new Set(
    types.flatMap((name) => {
      const parts = name.split(".");
      return parts.slice(1).map((_, at) => `${parts.slice(0, at + 1).join(".")}.*`);
    }),
  ),
];

/**
 * Why no event of this type will ever come, with the nearest existing types; undefined: one may.
 * @param own the types of own jobs, with or without prefix. Left out: they are unknown here, and a type is accepted if
 * its first part is neither one of nexusd's nor a typo of one
 */
export function unknownType(pattern: string, own?: readonly string[]): string | undefined {
  const full = fullType(pattern);
  const known = own === undefined ? FULL_NAMES : [...new Set([...FULL_NAMES, ...own.map(fullType)])];
  if (pattern === "*" || expandTypes([pattern], known).length > 0) return undefined;
  const first = full.slice(TYPE_PREFIX.length).split(".")[0] ?? "";
  const isKnownPart = known.some((type) => type.startsWith(`${TYPE_PREFIX}${first}.`));
  if (own === undefined && !isKnownPart && !isSlip(first)) return undefined;
  const near = nearest(full, full.endsWith(".*") ? patternsOf(known) : known).slice(0, 2);
  if (near.length === 0 && !isKnownPart)
    return own === undefined
      ? undefined
      : "is not an event type: nexusd has none like it, and no own job declares one (`events`) or has logged one";
  const like = near.length > 0 ? near : [`${TYPE_PREFIX}${first}.*`];
  return `is not an event type; did you mean ${like.join(" or ")}?`;
}

/** Whether a type, without prefix, starts with none of nexusd's first parts: those are left to own jobs. */
export const isOwnType = (name: string): boolean => !FIRST_PARTS.includes(name.split(".")[0] ?? "");

/** For a word of three letters, any other one would be a typo: only its plural counts. */
const isSlip = (word: string): boolean =>
  nearest(word, FIRST_PARTS).some((part) =>
    part.length > 3 ? Math.abs(word.length - part.length) <= 2 : word === `${part}s`,
  );
