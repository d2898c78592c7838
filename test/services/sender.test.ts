// The sender: each request to its own server with its own credential, and a write on the wire once.

import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { createBudget } from "../../src/http/budget.ts";
import { HttpError } from "../../src/http/errors.ts";
import { sessionCredential } from "../../src/services/messaging/facts.ts";
import { API_KEY } from "../../src/services/nex/operation.ts";
import type { TokenSource } from "../../src/services/nexus/auth.ts";
import { AGENT_TOKEN } from "../../src/services/nexus/facts.ts";
import type { Credential, OperationRequest } from "../../src/services/operation.ts";
import { NO_CREDENTIAL } from "../../src/services/operation.ts";
import {
  type Behaviour,
  closedOrigin,
  cutAfter,
  html,
  json,
  redirect,
  serve,
  serveRaw,
} from "../support/http-server.ts";
import { createBench } from "./operations/support.ts";

const signal = AbortSignal.timeout(60_000);

/** Tokens t1, t2, …, a new one after each that was rejected. */
function countedTokens(): TokenSource & { rejected: string[] } {
  const rejected: string[] = [];
  return {
    rejected,
    token: async () => `t${rejected.length + 1}`,
    organizationId: async () => "org",
    reject: (token) => void rejected.push(token),
    isEarly: () => {},
  };
}

const write = (origin: string, credential: Credential): OperationRequest => ({
  method: "POST",
  origin,
  path: "/v1/things",
  label: "POST /v1/things",
  json: { n: 1 },
  credential,
});
const read = (origin: string, credential: Credential): OperationRequest => ({
  method: "GET",
  origin,
  path: "/v1/things",
  label: "GET /v1/things",
  credential,
});

const failure = (promise: Promise<unknown>): Promise<HttpError> =>
  promise.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );

/** A connection takes a turn of the event loop to be known as free again. */
const connectionIsFree = () => nextTurn();

describe("the credential", () => {
  test("of each service goes to its own server, and nowhere else", async () => {
    const [messaging, nex, nexus, stranger] = await Promise.all([1, 2, 3, 4].map(() => serve(json({}))));
    if (!messaging || !nex || !nexus || !stranger) throw new Error("four servers");
    const bench = createBench({
      messaging: messaging.origin,
      nex: nex.origin,
      nexus: nexus.origin,
      tokens: countedTokens(),
      sessionKey: async (sessionId) => `key of ${sessionId}`,
    });
    bench.join({ sessionId: "here" });
    bench.join({ sessionId: "elsewhere", baseUrl: stranger.origin });

    const own: [string, Credential][] = [
      [nex.origin, API_KEY],
      [nexus.origin, AGENT_TOKEN],
      [messaging.origin, sessionCredential("here")],
      [messaging.origin, NO_CREDENTIAL],
      [stranger.origin, sessionCredential("elsewhere")],
      // The server of a session that we have joined is one of ours too.
      [stranger.origin, NO_CREDENTIAL],
    ];
    const all = [messaging, nex, nexus, stranger].flatMap(({ origin }) =>
      own.map(([, credential]): [string, Credential] => [origin, credential]),
    );
    const isOwn = ([origin, credential]: [string, Credential]) =>
      own.some(([o, c]) => o === origin && JSON.stringify(c) === JSON.stringify(credential));
    const foreign = [
      ...all.filter((pair) => !isOwn(pair)),
      [messaging.origin, sessionCredential("unknown")] as [string, Credential],
      ["http://127.0.0.1:9", NO_CREDENTIAL] as [string, Credential],
    ];
    for (const [origin, credential] of foreign) {
      expect(await failure(bench.sender.writeOnce(write(origin, credential), signal))).toMatchObject({
        name: "OperationError",
        code: "refused",
      });
      expect(await failure(bench.sender.read(read(origin, credential), signal))).toMatchObject({
        code: "refused",
      });
    }
    for (const [origin, credential] of own) await bench.sender.writeOnce(write(origin, credential), signal);

    const seen = (server: typeof nex) =>
      server.requests.map(({ headers }) => [headers.authorization, headers.apikey, headers["x-session-key"]]);
    expect(seen(nex)).toEqual([["Bearer key", undefined, undefined]]);
    expect(seen(nexus)).toEqual([["Bearer t1", "anon", undefined]]);
    expect(seen(messaging)).toEqual([
      [undefined, undefined, "key of here"],
      [undefined, undefined, undefined],
    ]);
    expect(seen(stranger)).toEqual([
      [undefined, undefined, "key of elsewhere"],
      [undefined, undefined, undefined],
    ]);
  });

  test("an unreadable key is a refusal before anything is sent", async () => {
    const { origin, requests } = await serve(json({}));
    const bench = createBench({
      messaging: origin,
      sessionKey: () => Promise.reject(new Error("the disk is away")),
    });
    bench.join({ sessionId: "s" });
    const sending = bench.sender.writeOnce(write(origin, sessionCredential("s")), signal);
    expect(await failure(sending)).toMatchObject({ name: "OperationError", code: "service_unavailable" });
    expect(requests).toHaveLength(0);
  });
});

describe("a write", () => {
  const drop: Behaviour = (response) => response.socket?.destroy();
  const answers: [string, Behaviour][] = [
    ["401", json({ message: "JWT expired" }, 401)],
    ["429", json({ error: "rate_limit_exceeded" }, 429, { "retry-after": "0" })],
    ["500", json({ message: "oops" }, 500)],
    ["503", json({ code: "PGRST002" }, 503, { "retry-after": "0" })],
    ["546", json({ code: "WORKER_LIMIT" }, 546)],
    ["a page of a proxy", html(502)],
    ["a page of a proxy that says 200", html(200)],
    ["a redirect", redirect("/v1/other", 307)],
    ["a cut connection", drop],
    ["a cut body", cutAfter('{"id":')],
  ];
  const services: [string, (origin: string) => { setup: object; credential: Credential }][] = [
    ["nexus", (nexus) => ({ setup: { nexus, tokens: countedTokens() }, credential: AGENT_TOKEN })],
    ["nex", (nex) => ({ setup: { nex }, credential: API_KEY })],
    ["messaging", (messaging) => ({ setup: { messaging }, credential: NO_CREDENTIAL })],
  ];
  const cases = services.flatMap(([service, make]) =>
    answers.flatMap(([answer, behave]) =>
      ["new", "kept"].map((connection) => ({ service, make, answer, behave, connection })),
    ),
  );

  test.each(cases)("to $service is on the wire once: $answer, $connection connection", async (given) => {
    const isKept = given.connection === "kept";
    const { origin, requests } = await serve((response, request, index) =>
      isKept && index === 0 ? json({})(response, request, index) : given.behave(response, request, index),
    );
    const { setup, credential } = given.make(origin);
    const bench = createBench(setup);
    if (isKept) await bench.sender.read(read(origin, credential), signal);
    await connectionIsFree();
    const before = requests.length;
    const error = await failure(bench.sender.writeOnce(write(origin, credential), signal));
    expect(error).toBeInstanceOf(HttpError);
    expect(error.maybeSent).toBe(true);
    // A later request shows that nothing was waiting to be sent again.
    await bench.sender.read(read(origin, credential), AbortSignal.timeout(1)).catch(() => {});
    expect(requests.slice(before).filter(({ method }) => method === "POST")).toHaveLength(1);
  });

  test("that hits an expired token fails; the next one has a new token", async () => {
    const { origin, requests } = await serve((response, request, index) =>
      json({}, request.headers.authorization === "Bearer t1" ? 401 : 200)(response, request, index),
    );
    const bench = createBench({ nexus: origin, tokens: countedTokens() });
    const request = write(origin, AGENT_TOKEN);
    expect(await failure(bench.sender.writeOnce(request, signal))).toMatchObject({ status: 401 });
    expect((await bench.sender.writeOnce(request, signal)).status).toBe(200);
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(["Bearer t1", "Bearer t2"]);
  });

  test("is certainly not sent if there is no token for it", async () => {
    const { origin, requests } = await serve(json({ error: "invalid_api_key" }, 401));
    const bench = createBench({ nexus: origin, nexusApiKey: "nxs_ak_revoked" });
    const error = await failure(bench.sender.writeOnce(write(origin, AGENT_TOKEN), signal));
    expect(error).toMatchObject({ code: "agent_key_refused", maybeSent: false });
    expect(requests.map(({ url }) => url)).toEqual(["/functions/v1/agent-auth"]);
  });

  test("is certainly not sent if no server listens, or its signal has aborted", async () => {
    const nex = await closedOrigin();
    const request = write(nex, API_KEY);
    const { sender } = createBench({ nex });
    expect(await failure(sender.writeOnce(request, signal))).toMatchObject({ maybeSent: false });
    const aborted = await failure(sender.writeOnce(request, AbortSignal.abort(new Error("gone"))));
    expect(aborted).toMatchObject({ kind: "aborted", maybeSent: false });
  });

  test("whose connection closes just as it is sent is not sent again on another", async () => {
    let begun = 0;
    const raw = await serveRaw((socket, _, piece) => {
      if (piece === 0) begun += 1;
      if (begun === 1 && piece === 0) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
      else socket.destroy();
    });
    const { sender } = createBench({ nex: raw.origin });
    await sender.read(read(raw.origin, API_KEY), signal);
    await connectionIsFree();
    const error = await failure(sender.writeOnce(write(raw.origin, API_KEY), signal));
    expect(error).toMatchObject({ maybeSent: true });
    expect(raw.connections).toBe(1);
  });
});

test("a person's write goes before agents' waiting reads, into the reserved part of the budget", async () => {
  const { origin, requests } = await serve(json({}));
  const nexBudget = createBudget({ limit: 2, reserve: 1, clock: systemClock });
  const { sender } = createBench({ nex: origin, nexBudget });
  const caller = new AbortController();
  await sender.read(read(origin, API_KEY), signal);
  const waiting = failure(sender.read(read(origin, API_KEY), caller.signal));
  await sender.writeOnce(write(origin, API_KEY), signal, { priority: "people" });
  expect(requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
  caller.abort(new Error("gone"));
  await waiting;
});

describe("a read", () => {
  test("is repeated after an expired token, and while that can help", async () => {
    const { origin, requests } = await serve((response, request, index) =>
      json({ index }, [401, 503, 200][index] ?? 200)(response, request, index),
    );
    const bench = createBench({ nexus: origin, tokens: countedTokens() });
    const answer = await bench.sender.read(read(origin, AGENT_TOKEN), signal);
    expect(answer).toMatchObject({ status: 200, body: { index: 2 } });
    expect(requests.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer t1",
      "Bearer t2",
      "Bearer t2",
    ]);
  });

  test("ends when its caller goes away, with its connection", async () => {
    const server = await serve(() => {});
    const caller = new AbortController();
    const { sender } = createBench({ nex: server.origin });
    const reading = failure(sender.read(read(server.origin, API_KEY), caller.signal));
    await server.arrived(1);
    caller.abort(new Error("gone"));
    await reading;
    await server.disconnected();
  });

  test("treats an empty body as none, and keeps integers above 2^53 exact", async () => {
    const { origin } = await serve((response, request, index) =>
      json(index === 0 ? "" : '{"id": 48066188026052611}')(response, request, index),
    );
    const { sender } = createBench({ nex: origin });
    const request = read(origin, API_KEY);
    expect((await sender.read(request, signal)).body).toBeUndefined();
    expect((await sender.read(request, signal)).body).toEqual({ id: 48066188026052611n });
  });
});
