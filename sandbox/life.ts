/** Scripted activity, so that a newcomer sees events: a peer agent that writes, and insights that arrive. */

import type { MessagingServer } from "./messaging.ts";
import type { NexServer } from "./nex.ts";
import { type Insight, insightTypes } from "./nex-insights.ts";

export interface LifeOptions {
  messaging: MessagingServer;
  nex: NexServer;
  /** The messaging session that the peer writes to. */
  sessionId: string;
  /** The peer's agent id; `shop-assistant` by default. */
  peer?: string;
  /** Mean time between two lines of the peer, 2,500 by default; insights come at 1.6 times that. */
  intervalMs?: number;
}

const people: Choices = [
  "Maria Lopez",
  "Tom Becker",
  "Aisha Khan",
  "Jan de Vries",
  "Lucia Rossi",
  "Omar Haddad",
  "Eva Novak",
];
const companies: Choices = [
  "Acme Corp",
  "Northwind Tools",
  "Bluebird Cafe",
  "Granite Works",
  "Harbour Print",
];
const goods: Choices = ["filament spools", "shipping boxes", "label rolls", "desk lamps", "safety gloves"];

type Choices = [string, ...string[]];
type Line = (n: number, person: string, goods: string) => string;

const lines: [Line, ...Line[]] = [
  (n, person) => `Order #${n} from ${person} is paid. Can you check that the address is complete?`,
  (n, person, item) => `${person} asks whether ${item} can be added to order #${n} before it ships.`,
  (n, _, item) => `Only a few ${item} left after order #${n}. I would reorder this week.`,
  (n, person) => `Tracking for order #${n} went out to ${person}.`,
  (n, person) => `${person} wants an invoice for order #${n} with the VAT number on it.`,
  (n, _, item) => `Return for order #${n} arrived: ${item}, unopened. Refund or exchange?`,
  (n, person) => `${person} says thanks, order #${n} came a day early.`,
];

const insights: Record<(typeof insightTypes)[number], Line> = {
  opportunity: (n, person, item) => `${person} asked for a quote for more ${item} after order #${n}`,
  risk: (n, person) => `${person} mentions a competing offer for order #${n}`,
  relationship: (n, person) => `${person} introduced the purchasing lead in the thread about order #${n}`,
  preference: (n, person) => `${person} prefers delivery before noon, as with order #${n}`,
  milestone: (n, person) => `${person} signed off the sample of order #${n}`,
  goal: (n, person, item) => `${person} wants to stock ${item} in every store, starting with order #${n}`,
  pain_point: (n, person) => `${person} had to ask twice for the status of order #${n}`,
  commitment: (n, person) => `We promised ${person} a replacement for order #${n} by Friday`,
  constraint: (n, person) => `${person} needs an approval above 500 EUR, as for order #${n}`,
  requirement: (n, person) => `${person} needs a certificate of origin with order #${n}`,
  activity: (n, person) => `${person} opened the offer for order #${n} three times today`,
  characteristic: (n, person) => `${person} reorders about once a month, last with order #${n}`,
  role_detail: (n, person) => `${person} now approves purchases, first seen on order #${n}`,
};

/** The first line within 1 s, the first insight within 2 s, whatever the interval. */
export function startLife(options: LifeOptions): { stop(): void } {
  const peer = options.peer ?? "shop-assistant";
  const intervalMs = options.intervalMs ?? 2500;
  // Numbers of an earlier run must not recur: an insight with the same text would be the same insight.
  const firstOrder = Math.floor(Date.now() / 1000) % 10_000_000;

  const stopTalk = repeat(Math.min(500, intervalMs), intervalMs, (n) => {
    const text = pick(lines, n)(firstOrder + n, pick(people, n), pick(goods, n));
    try {
      options.messaging.post(options.sessionId, peer, { text });
    } catch {
      // The session has expired or is full, because of a test or a user: no one is there to talk to.
    }
  });

  const stopInsights = repeat(Math.min(1200, intervalMs * 1.6), intervalMs * 1.6, (n) => {
    const type = pick(insightTypes, n);
    const person = pick(people, n);
    options.nex.emit([
      {
        type,
        type_description: `An insight of the kind ${type.replace("_", " ")}`,
        content: `${insights[type](firstOrder + n, person, pick(goods, n))} (${pick(companies, n)})`,
        target: target(person, pick(companies, n)),
      },
    ]);
  });

  return {
    stop() {
      stopTalk();
      stopInsights();
    },
  };
}

function target(person: string, company: string): Insight["target"] {
  const [first = ""] = person.toLowerCase().split(" ");
  return {
    type: "entity",
    type_description: "An entity of the context graph",
    entity_type: "person",
    entity_type_description: "A person",
    hint: person,
    signals: [{ type: "email", value: `${first}@${company.toLowerCase().replaceAll(" ", "-")}.example` }],
    anchors: {},
    anchors_description: "",
  };
}

/** Runs `action` with 0, 1, 2, … at an uneven pace: each wait is `meanMs`, plus or minus a fifth. */
function repeat(firstMs: number, meanMs: number, action: (n: number) => void): () => void {
  let n = 0;
  let timer = setTimeout(tick, firstMs);
  function tick() {
    timer = setTimeout(tick, meanMs * (0.8 + Math.random() * 0.4));
    action(n++);
  }
  return () => clearTimeout(timer);
}

function pick<T>(list: readonly [T, ...T[]], n: number): T {
  return list[n % list.length] ?? list[0];
}
