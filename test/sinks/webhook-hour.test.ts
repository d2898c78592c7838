// A receiver that fails at random for an hour, and the engine that delivers to it: every event arrives, in order.

import { pino } from "pino";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import { afterEach, expect, test, vi } from "vitest";
import { seeded } from "../../bench/traffic.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createFigures } from "../../src/sinks/figures.ts";
import { sinkSettings } from "../../src/sinks/settings.ts";
import { createSinks } from "../../src/sinks/sinks.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import {
  type Behaviour,
  cutAfter,
  html,
  redirect,
  serve,
  stallBody,
  stallHeaders,
  type TestServer,
} from "../support/http-server.ts";
import { watchedClock } from "../support/steady-clock.ts";
import { openTestStore } from "../support/store.ts";

const SECRET = `whsec_${Buffer.from("a made-up secret of a test, 32 b").toString("base64")}`;
const MINUTE = 60_000;

const status =
  (code: number, headers = {}): Behaviour =>
  (response) =>
    response.writeHead(code, headers).end();
const taken = [status(204), status(200), status(202), status(204), status(200), stallBody(200)];
const failing: Behaviour[] = [
  ...[status(500), status(503, { "retry-after": "45" }), status(429, { "retry-after": "20" }), status(400)],
  ...[status(404), html(502), redirect("/login"), stallHeaders, cutAfter("", { "content-length": "9" })],
  (response) => response.destroy(),
];

afterEach(() => vi.useRealTimers());

/** An hour of continuous events. @returns the server, and the ids of the log in order */
async function hourOf(format: "structured" | "batch"): Promise<{ server: TestServer; ids: string[] }> {
  const random = seeded(17);
  // Both libraries refuse old timestamps, by the system's clock.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 0, 1) });
  const clock: FakeClock = createFakeClock(Date.now());
  const store = await openTestStore({ clock });
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  let isWell = false;
  const server = await serve((response, request, index) => {
    vi.setSystemTime(clock.now());
    verify(request);
    // A failed one may well have received it.
    pick(isWell || random() < 0.5 ? taken : failing)(response, request, index);
  });
  const sinks = createSinks({
    ...{ store, clock, random, log: pino({ level: "silent" }), steady: watchedClock(clock) },
    ...{ figures: createFigures(), version: "0.0.0", agentSocket: "/nowhere/agent.sock" },
    http: (own) =>
      createHttpClient({ service: "sink", clock, maxBytes: 65_536, userAgent: "nexusd/0.0.0", ...own }),
  });
  await sinks.configure({
    sinks: sinkSettings.parse([
      {
        ...{ name: "shop", kind: "webhook", url: `${server.origin}/in`, format, batch_events: 7 },
        ...{ types: ["messaging.session.lost"], secret: { source: "env", id: "SECRET" } },
      },
    ]),
    secrets: () => ({ secret: SECRET }),
  });
  let said = 0;
  for (let minute = 0; minute < 60; minute++) {
    const events = Array.from({ length: Math.floor(random() * 4) }, () => ({
      ...{ type: "messaging.session.lost" as const, source: "/messaging/sessions/abc" },
      data: { sessionId: "abc", alias: null, code: "lost", message: `${++said}` },
    }));
    await store.commitObservation({ source: "test", events });
    await clock.advance(MINUTE);
  }
  isWell = true;
  for (let more = 0; more < 200 && (await store.pending("shop"))?.count; more++)
    await clock.advance(MINUTE / 2);
  const stopped = sinks.stop(1000);
  await clock.advance(1000);
  await stopped;
  const log = await store.readEvents({ after: 0, limit: 1000, types: ["messaging.session.lost"] });
  return { server, ids: log.events.map(({ json }) => JSON.parse(json).id) };
}

const headersOf = ({ headers }: TestServer["requests"][number]) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

function verify(request: TestServer["requests"][number]): void {
  new Standard(SECRET).verify(request.body, headersOf(request));
  new Svix(SECRET).verify(request.body, headersOf(request));
}

test.each(["structured", "batch"] as const)("every event arrives in order, %s", async (format) => {
  const { server, ids } = await hourOf(format);
  expect(ids.length).toBeGreaterThan(60);
  // As a receiver that deduplicates by webhook-id stores them.
  const had = new Map<unknown, string>();
  for (const { headers, body } of server.requests) {
    const before = had.get(headers["webhook-id"]);
    if (before !== undefined) expect(body).toBe(before);
    had.set(headers["webhook-id"], body);
  }
  expect(had.size).toBeLessThan(server.requests.length);
  expect([...had.values()].flatMap((body) => [JSON.parse(body)].flat()).map(({ id }) => id)).toEqual(ids);
});
