import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { createBudget } from "../../../src/http/budget.ts";
import type { HttpRequest } from "../../../src/http/client.ts";
import { createHttpClient } from "../../../src/http/transport.ts";
import { createHistogram } from "../../../src/services/counts.ts";
import { createNexClient, INSIGHT_DELAY_BOUNDS, PREFIX } from "../../../src/services/nex/client.ts";
import { TEXTS_PER_MINUTE } from "../../../src/services/nex/limits.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { type Behaviour, serve } from "../../support/http-server.ts";

const TIMEOUT_MS = 120_000;
const never = new AbortController().signal;

async function connect(behave: Behaviour) {
  const clock = createFakeClock();
  const server = await serve(behave);
  const nex = createNexClient({
    http: createHttpClient({
      ...{ service: "nex", origin: server.origin, clock, timeoutMs: TIMEOUT_MS },
      ...{ maxBytes: 100_000, userAgent: "nexusd/test" },
    }),
    random: () => 0,
    delays: createHistogram(INSIGHT_DELAY_BOUNDS),
    texts: createBudget({ limit: TEXTS_PER_MINUTE, reserve: 0, clock }),
    ...{ clock, idleTimeoutMs: 90_000, timeoutMs: TIMEOUT_MS },
  });
  return { clock, server, nex, seen: () => server.requests.map(({ url }) => url.slice(PREFIX.length)) };
}

const read = (path: string): HttpRequest => ({ method: "GET", path: PREFIX + path, label: `GET ${path}` });
const write = (path: string): HttpRequest => ({
  ...{ method: "POST", path: PREFIX + path, label: `POST ${path}`, json: {} },
  ...{ once: true, priority: "people" },
});
const done = (response: ServerResponse) =>
  response.writeHead(200, { "content-type": "application/json" }).end('{"insights":[]}');

/** Holds every answer back until it is released. */
function held() {
  const answers: ServerResponse[] = [];
  const behave: Behaviour = (response) => answers.push(response);
  return { answers, behave };
}

describe("Nex reads", () => {
  test("run four at a time, the others in order of arrival", async () => {
    const { answers, behave } = held();
    const { nex, server, seen } = await connect(behave);
    const reads = [1, 2, 3, 4, 5, 6].map((n) => nex.http.request(read(`/${n}`)));
    await server.arrived(4);
    for (const count of [5, 6]) {
      done(answers[count - 5] ?? expect.fail());
      await server.arrived(count);
    }
    expect(seen()).toEqual(["/1", "/2", "/3", "/4", "/5", "/6"]);
    for (const answer of answers.slice(2)) done(answer);
    await Promise.all(reads);
  });

  test("release their place on failure too", async () => {
    const { answers, behave } = held();
    const { nex, server } = await connect(behave);
    const reads = [1, 2, 3, 4, 5].map((n) => nex.http.request(read(`/${n}`)).catch(({ kind }) => kind));
    await server.arrived(4);
    answers[0]?.destroy();
    await server.arrived(5);
    for (const answer of answers) answer.destroy();
    expect(await Promise.all(reads)).toEqual(Array(5).fill("network"));
  });

  test("without a place within a request's time were not sent", async () => {
    const { behave } = held();
    const { nex, server, clock, seen } = await connect(behave);
    const first = [1, 2, 3, 4].map((n) => nex.http.request(read(`/${n}`)).catch(({ code }) => code));
    await server.arrived(4);
    const late = nex.http
      .request({ ...read("/late"), timeoutMs: 1000 })
      .catch(({ code, maybeSent }) => [code, maybeSent]);
    const left = new AbortController();
    const gone = nex.http.request({ ...read("/gone"), signal: left.signal }).catch(({ kind }) => kind);
    left.abort();
    await clock.advance(TIMEOUT_MS);
    expect(await late).toEqual(["budget_timeout", false]);
    expect(await gone).toBe("aborted");
    expect(await Promise.all(first)).toEqual(Array(4).fill("timeout"));
    expect(seen()).toHaveLength(4);
    expect(clock.pending()).toBe(0);
  });

  test("block neither the stream nor a poll nor a write, however slow they are", async () => {
    const { nex, server, seen } = await connect((response, { url }) => {
      if (url.includes("/insights?") || url.endsWith("/notes")) done(response);
      if (url.endsWith("/stream"))
        response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const left = new AbortController();
    const slow = [1, 2, 3, 4, 5].map((n) =>
      nex.http.request({ ...read(`/${n}`), signal: left.signal }).catch(({ kind }) => kind),
    );
    await server.arrived(4);
    const opened = Promise.withResolvers<void>();
    const stream = nex
      .holdStream({ opened: () => opened.resolve(), events: () => {} }, left.signal)
      .catch(({ name }) => name);
    await opened.promise;
    expect((await nex.listInsights(0, 1000, never)).insights).toEqual([]);
    expect((await nex.http.request(write("/notes"))).status).toBe(200);
    expect(seen()).toHaveLength(7);
    left.abort();
    expect(await stream).toBe("AbortError");
    expect(await Promise.all(slow)).toEqual(Array(5).fill("aborted"));
  });
});

describe("texts for Nex", () => {
  test("are limited to ten a minute; an eleventh waits, and other writes do not", async () => {
    const { nex, server, clock, seen } = await connect(done);
    const texts = Array.from({ length: 11 }, () => nex.http.request(write("/context/text")));
    await Promise.all(texts.slice(0, 10));
    await nex.http.request(write("/notes"));
    await clock.advance(59_000);
    expect(seen().filter((path) => path === "/context/text")).toHaveLength(10);
    await clock.advance(1000);
    await server.arrived(12);
    await Promise.all(texts);
    expect(seen().at(-1)).toBe("/context/text");
  });

  test("wait no longer than a request may take, and then were not sent", async () => {
    const { nex, clock } = await connect(done);
    await Promise.all(Array.from({ length: 10 }, () => nex.http.request(write("/context/text"))));
    const late = nex.http
      .request({ ...write("/context/text"), timeoutMs: 30_000 })
      .catch(({ code, maybeSent }) => [code, maybeSent]);
    await clock.advance(30_000);
    expect(await late).toEqual(["budget_timeout", false]);
  });

  test.each([
    ["7", 7000],
    [undefined, 60_000],
  ])("pause after a 429 with the Retry-After %j", async (asked, waitMs) => {
    const { nex, server, clock } = await connect((response, _, index) => {
      if (index > 0) done(response);
      else response.writeHead(429, asked === undefined ? {} : { "retry-after": asked }).end();
    });
    await expect(nex.http.request(write("/context/text"))).rejects.toMatchObject({ status: 429 });
    const next = nex.http.request(write("/context/text"));
    await clock.advance(waitMs - 1);
    expect(server.requests).toHaveLength(1);
    await clock.advance(1);
    expect((await next).status).toBe(200);
  });
});
