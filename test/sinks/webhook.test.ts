// Events delivered to a server: in order, each until it is answered 2xx, signed so that two foreign libraries agree.

import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import { describe, expect, test } from "vitest";
import type { Store } from "../../src/contract/store.ts";
import { webhook } from "../../src/sinks/webhook/kind.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import {
  type Behaviour,
  closedOrigin,
  endless,
  html,
  redirect,
  serve,
  serveRaw,
  stallBody,
  stallHeaders,
  type TestServer,
} from "../support/http-server.ts";
import { CONSUMER, openTarget, someNotice } from "../support/sink-target.ts";

const secretOf = (text: string) => `whsec_${Buffer.from(text.padEnd(32, "-")).toString("base64")}`;
const SECRET = secretOf("a made-up secret of a test");
const OLD_SECRET = secretOf("the one before it");

const taken: Behaviour = (response) => response.writeHead(204).end();
const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    response.writeHead(code, headers).end("of the receiver's own");

const open = (url: string, settings = {}, options = {}) =>
  openTarget(webhook, { url, ...settings }, { secrets: { secret: SECRET }, ...options });

/** Events whose data is `text`, one after another; the consumer starts before them. */
async function append(store: Store, ...texts: string[]): Promise<void> {
  if (!(await store.readConsumer(CONSUMER))) await store.putConsumer(CONSUMER, "latest");
  await store.commitObservation({
    source: "test",
    events: texts.map((text, index) => ({
      type: "messaging.session.lost",
      source: "/messaging/sessions/abc",
      data: { sessionId: "abc", alias: null, code: "lost", message: `${index}: ${text}` },
    })),
  });
}

type Opened = Awaited<ReturnType<typeof open>>;

/** Delivers as the engine does, until something is refused or nothing is left. @returns the refusal */
async function handOver({ store, hand }: Opened) {
  for (;;) {
    const pending = await store.pending(CONSUMER);
    if (!pending?.count) return undefined;
    const outcome = await hand();
    if (outcome.kind !== "acknowledged") return outcome;
    await store.ackConsumer(CONSUMER, outcome.upTo);
  }
}

/** The events of a request, after both libraries verified its signature. */
function verified({ headers, body }: TestServer["requests"][number], secret = SECRET) {
  const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  new Svix(secret).verify(body, own);
  const value = new Standard(secret).verify(body, own);
  return Array.isArray(value) ? value : [value];
}
const saidIn = (request: TestServer["requests"][number]): string[] =>
  verified(request).map(({ data }) => data.message);

describe("one event per request", () => {
  test("each event is delivered as logged, in order, under its own id", async () => {
    const server = await serve(taken);
    const opened = await open(`${server.origin}/in?of=nexusd`);
    await append(opened.store, "one", "zwei ☃", "三 \u2028 \u0000");
    expect(await handOver(opened)).toBeUndefined();
    const log = await opened.store.readEvents({ after: 0, limit: 10 });
    expect(server.requests.map(({ body }) => body)).toEqual(log.events.map(({ json }) => json));
    for (const request of server.requests) {
      const [event] = verified(request);
      expect(request).toMatchObject({ method: "POST", url: "/in?of=nexusd" });
      expect(request.headers).toMatchObject({
        "content-type": "application/cloudevents+json; charset=utf-8",
        "webhook-id": event.id,
      });
    }
  });

  test("only the consumer's types are delivered", async () => {
    const server = await serve(taken);
    const opened = await open(server.origin);
    await opened.store.putConsumer(CONSUMER, "latest", ["nex.*"]);
    await append(opened.store, "of no interest");
    expect(await opened.hand()).toEqual({ kind: "acknowledged", upTo: 1 });
    expect(server.requests).toEqual([]);
  });

  test("a refused event holds up all events after it, and is sent again under the same id", async () => {
    const server = await serve((response, request, index) =>
      status(request.body.includes("poison") && index < 6 ? 422 : 200)(response, request, index),
    );
    const opened = await open(server.origin);
    await append(opened.store, "good", "poison", "later");
    for (let time = 0; time < 5; time++)
      expect(await handOver(opened)).toMatchObject({
        ...{ kind: "refused", code: "http_422" },
        message: expect.stringContaining("event 2"),
      });
    expect(await handOver(opened)).toBeUndefined();
    const said = server.requests.map((request) => saidIn(request)[0]);
    expect(said).toEqual(["0: good", ...Array(6).fill("1: poison"), "2: later"]);
    expect(new Set(server.requests.map(({ headers }) => headers["webhook-id"])).size).toBe(3);
  });
});

describe("batches", () => {
  const asBatch = { format: "batch", batch_events: 3 };

  test("are lists of events in order, with an id derived from their contents", async () => {
    const server = await serve(taken);
    const opened = await open(server.origin, asBatch);
    await append(opened.store, "a", "b", "c", "d");
    expect(await handOver(opened)).toBeUndefined();
    expect(server.requests.map(saidIn)).toEqual([["0: a", "1: b", "2: c"], ["3: d"]]);
    expect(server.requests[0]?.headers["content-type"]).toMatch(/^application\/cloudevents-batch\+json/);
    const ids = server.requests.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^batch_[\w-]{32}$/);
  });

  test("a batch whose answer was lost is sent again unchanged, whatever has arrived since", async () => {
    const server = await serve((response, request, index) =>
      index === 0 ? response.destroy() : taken(response, request, index),
    );
    const { store, hand } = await open(server.origin, asBatch);
    await append(store, "a");
    expect(await hand()).toMatchObject({ kind: "refused", code: "connection_lost" });
    await append(store, "b", "c");
    // As after a start of nexusd: only the stored state is known.
    expect(await handOver(await open(server.origin, asBatch, { store }))).toBeUndefined();
    const [first, again, rest] = server.requests;
    expect([again?.body, again?.headers["webhook-id"]]).toEqual([first?.body, first?.headers["webhook-id"]]);
    expect(rest && saidIn(rest)).toEqual(["0: b", "1: c"]);
  });

  test("a batch whose events retention has removed since is built again", async () => {
    const server = await serve((response, request, index) =>
      (index === 0 ? status(500) : taken)(response, request, index),
    );
    const opened = await open(server.origin, asBatch);
    await append(opened.store, "a");
    await handOver(opened);
    await append(opened.store, "b");
    await opened.store.pruneEvents({ keep: 1 });
    expect(await handOver(opened)).toBeUndefined();
    expect(server.requests.map(saidIn)).toEqual([["0: a"], ["0: b"]]);
  });

  test("are at most 256 KiB, except for a single event larger than that", async () => {
    const server = await serve(taken);
    const opened = await open(server.origin, { format: "batch" });
    const long = (kib: number) => "x".repeat(kib * 1024);
    await append(opened.store, long(100), long(100), long(100), long(400), "short");
    await handOver(opened);
    expect(server.requests.map((request) => saidIn(request).length)).toEqual([2, 1, 1, 1]);
  });
});

test("during a change of the secret, a receiver with either one can verify", async () => {
  const server = await serve(taken);
  const opened = await open(server.origin, {}, { secrets: { secret: SECRET, previous_secret: OLD_SECRET } });
  await append(opened.store, "one");
  await handOver(opened);
  const [request] = server.requests;
  if (!request) throw new Error("nothing came");
  expect(verified(request, SECRET)).toEqual(verified(request, OLD_SECRET));
  expect(() => verified(request, secretOf("another"))).toThrow("No matching signature found");
});

test.each([
  ["whsec_dG9vIHNob3J0"],
  ["not base64 at all, nor a key of any length"],
  [`whsec_${"A".repeat(100)}`],
])("an unusable secret is refused without being shown: %s", async (secret) => {
  const server = await serve(taken);
  const opened = await open(server.origin, {}, { secrets: { secret } });
  await append(opened.store, "one");
  const outcome = await handOver(opened);
  expect(outcome).toMatchObject({ code: "bad_secret", message: expect.stringContaining("openssl") });
  expect(JSON.stringify(outcome)).not.toContain(secret);
  expect(server.requests).toEqual([]);
});

test("a test sends an event of its own type, in the sink's format, and moves nothing", async () => {
  const server = await serve(taken);
  for (const format of ["structured", "batch"]) {
    const { store, hand } = await open(server.origin, { format });
    await append(store, "waits");
    expect(await hand({ ...someNotice, test: true })).toEqual({ kind: "heard" });
    expect((await store.readConsumer(CONSUMER))?.position).toBe(0);
  }
  const [one, list] = server.requests;
  if (!one || !list) throw new Error("too few came");
  expect([Array.isArray(JSON.parse(one.body)), Array.isArray(JSON.parse(list.body))]).toEqual([false, true]);
  for (const request of [one, list])
    expect(verified(request)).toMatchObject([
      { specversion: "1.0", type: "nexusd.sink.test", source: "/sinks/test", data: { test: true } },
    ]);
});

describe("only a 2xx acknowledges", () => {
  test.each<[string, Behaviour]>([
    ["200", status(200)],
    ["202", status(202)],
    ["204", taken],
    ["a page", html(200)],
    ["a status whose body never comes", stallBody(200)],
    ["a status and an endless body", endless("x".repeat(1000))],
  ])("%s acknowledges", async (_what, behave) => {
    const server = await serve(behave);
    const opened = await open(server.origin);
    await append(opened.store, "one", "two");
    expect(await handOver(opened)).toBeUndefined();
    expect(server.requests.map((request) => saidIn(request)[0])).toEqual(["0: one", "1: two"]);
  });

  test.each<[string, Behaviour, string, RegExp]>([
    ["400", status(400), "http_400", /its log/],
    ["401", status(401), "http_401", /secret/],
    ["403", status(403), "http_403", /secret/],
    ["404", status(404), "http_404", /url/],
    ["409", status(409), "http_409", /its log/],
    ["413", status(413), "too_large", /batch_events/],
    ["500", html(500), "http_500", /its log/],
    ["503", status(503), "http_503", /its log/],
    ["304", status(304), "http_304", /its log/],
    ["301", redirect("/away", 301), "redirect", /url/],
    ["302", redirect("/away"), "redirect", /url/],
    ["307", redirect("/away", 307), "redirect", /url/],
    ["308", redirect("/away", 308), "redirect", /url/],
    ["a cut connection", (response) => response.destroy(), "connection_lost", /log/],
  ])("%s is a refusal with a remedy", async (_what, behave, code, message) => {
    const server = await serve(behave);
    const opened = await open(server.origin);
    await append(opened.store, "one");
    const outcome = await handOver(opened);
    expect(outcome).toMatchObject({ kind: "refused", code });
    expect(outcome).toHaveProperty("message", expect.stringMatching(message));
    expect(outcome).not.toHaveProperty("isFinal");
    expect(JSON.stringify(outcome)).not.toMatch(/receiver's own|away|a page/);
    expect(server.requests).toHaveLength(1);
  });

  test("410 ends the delivery", async () => {
    const server = await serve(status(410));
    const opened = await open(server.origin);
    await append(opened.store, "one");
    expect(await handOver(opened)).toMatchObject({ kind: "refused", code: "gone", isFinal: true });
  });

  test.each([
    [429, { "retry-after": "120" }, 120_000],
    [429, {}, 60_000],
    [503, { "retry-after": "7" }, 7000],
    [500, {}, undefined],
  ])("%i with %j pauses the receiver for as long as it asks", async (code, headers, retryAfterMs) => {
    const server = await serve(status(code, headers));
    const opened = await open(server.origin);
    await append(opened.store, "one");
    const outcome = await handOver(opened);
    expect(outcome?.kind === "refused" && outcome.retryAfterMs).toBe(retryAfterMs);
  });

  test("a receiver that does not answer within the time-out is given up", async () => {
    const clock = createFakeClock();
    const server = await serve(stallHeaders);
    const opened = await open(server.origin, { timeout: "15s" }, { clock });
    await append(opened.store, "one");
    const outcome = opened.hand();
    await server.arrived(1);
    await clock.advance(15_000);
    expect(await outcome).toMatchObject({ kind: "refused", code: "timeout" });
    await server.disconnected();
  });

  test("an unreachable receiver, or one that does not speak HTTP, does not", async () => {
    const garbage = await serveRaw((socket) => socket.end("SSH-2.0-OpenSSH_10.0\r\n"));
    for (const [url, code] of [
      [await closedOrigin(), "connection_refused"],
      [garbage.origin, "invalid_http"],
    ] as const) {
      const opened = await open(url);
      await append(opened.store, "one");
      expect(await handOver(opened)).toMatchObject({ kind: "refused", code });
    }
  });
});

test("a deleted consumer is a refusal", async () => {
  const server = await serve(taken);
  const { hand } = await open(server.origin);
  expect(await hand()).toMatchObject({ kind: "refused", code: "no_consumer" });
});
