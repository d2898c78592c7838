// A sink's target as the engine creates it, with a real store and HTTP client.

import { pino } from "pino";
import { z } from "zod";
import type { Notice } from "../../src/contract/notice-shape.ts";
import type { Store } from "../../src/contract/store.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import type { Outcome, SinkKind } from "../../src/sinks/kind.ts";
import { openTestStore } from "./store.ts";

export const CONSUMER = "agent";

export const someNotice: Notice = {
  ...{ consumer: CONSUMER, pending: 2, isMore: false, oldest: 4, newest: 5 },
  types: { "nexusd.messaging.message.received": 2 },
};

export interface TestTarget {
  store: Store;
  /** Delivers once. */
  hand(notice?: Notice, signal?: AbortSignal): Promise<Outcome>;
}

/** @param settings as in the configuration, except references to secrets, which are in `secrets` by their key */
export async function openTarget<Shape extends z.ZodRawShape>(
  kind: SinkKind<Shape>,
  settings: Record<string, unknown>,
  options: { secrets?: Record<string, string>; clock?: Clock; store?: Store } = {},
): Promise<TestTarget> {
  const { secrets = {}, clock = systemClock, store = await openTestStore({ clock }) } = options;
  const references = Object.keys(secrets).map((key) => [key, { source: "env", id: "UNUSED" }]);
  const target = await kind.create({
    ...{ sink: "test", consumer: CONSUMER, version: "0.0.0", clock, random: Math.random, store },
    settings: z.strictObject(kind.settings).parse({ ...Object.fromEntries(references), ...settings }),
    log: pino({ level: "silent" }),
    agentSocket: "/nowhere/agent.sock",
    secret: (key) => secrets[key],
    http: (own) =>
      createHttpClient({ service: kind.name, clock, maxBytes: 65_536, userAgent: "nexusd/0.0.0", ...own }),
  });
  return {
    store,
    hand: (notice = someNotice, signal = new AbortController().signal) =>
      target.hand(notice, { signal, wakeId: "wake" }),
  };
}
