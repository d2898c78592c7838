// The connection with an MCP server: lazy, without needless requests, exact, sent once where it must be, and never
// hanging.

import { describe, expect, test, vi } from "vitest";
import { createBudget } from "../../../../src/http/budget.ts";
import type { HttpError } from "../../../../src/http/errors.ts";
import { createFakeClock } from "../../../support/fake-clock.ts";
import {
  cutAfter,
  endless,
  html,
  json,
  redirect,
  serve,
  stallBody,
  stallHeaders,
} from "../../../support/http-server.ts";
import {
  call,
  connect,
  failure,
  type Message,
  methods,
  reading,
  result,
  serveMcp,
  writing,
} from "./support.ts";

const refusal = (promise: Promise<unknown>): Promise<HttpError> =>
  promise.then(
    () => Promise.reject(new Error("it was not refused")),
    (error) => error,
  );
const rpc = (message: Message, value: unknown) =>
  JSON.stringify({ jsonrpc: "2.0", id: message.id, result: value });

test("connects at the first call, once, and opens no stream of its own", async () => {
  const server = await serveMcp((message, respond) => respond(result(message, { tools: [] })));
  const connection = connect(server.origin);
  expect(server.requests).toEqual([]);
  await Promise.all([1, 2, 3].map(() => connection.call(call("tools/list"), reading)));
  await connection.call(call("tools/list"), reading);
  expect(methods(server)).toEqual([
    "initialize",
    "notifications/initialized",
    ...Array(4).fill("tools/list"),
  ]);
});

test("a write is sent with exactly the approved body, and its answer is matched to it", async () => {
  const server = await serveMcp((message, respond) => respond(result(message, { content: [] })));
  const write = call("tools/call", { name: "x", arguments: { n: 9007199254740993n, text: "é\u202e" } });
  expect((await connect(server.origin).call(write, writing)).body).toEqual({ result: { content: [] } });
  expect(server.requests.at(-1)?.body).toBe(
    '{"jsonrpc":"2.0","id":"nexusd-0123456789abcdef","method":"tools/call",' +
      '"params":{"name":"x","arguments":{"n":9007199254740993,"text":"é\u202e"}}}',
  );
  expect(server.requests.at(-1)?.headers["nexusd-call"]).toBeUndefined();
});

test("reads with the same arguments run concurrently, each with its own id", async () => {
  const server = await serveMcp((message, respond) => respond(result(message, { of: message.id })));
  const connection = connect(server.origin);
  const answers = await Promise.all([1, 2, 3].map(() => connection.call(call("resources/read"), reading)));
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(3);
});

test("integers above 2^53 in an answer keep their digits", async () => {
  const server = await serveMcp((message, respond) =>
    respond(json(rpc(message, { structuredContent: { n: 0 } }).replace(":0}", ":9007199254740993}"))),
  );
  const { body } = await connect(server.origin).call(call("tools/call"), reading);
  expect(body).toEqual({ result: { structuredContent: { n: 9007199254740993n } } });
});

test("a JSON-RPC error is the answer, even one without an id", async () => {
  const server = await serveMcp((message, respond) =>
    respond(failure(message.method === "a" ? message : { ...message, id: null }, -32_602, "bad arguments")),
  );
  const connection = connect(server.origin);
  for (const method of ["a", "b"])
    expect((await connection.call(call(method), reading)).body).toMatchObject({
      error: { code: -32_602, message: expect.stringContaining("bad arguments") },
    });
});

describe("a lost session", () => {
  const sessions = async (status: number) => {
    let number = 0;
    const server = await serveMcp(
      (message, respond) =>
        respond(message.session === `s${number}` ? result(message, {}) : json({ error: "gone" }, status)),
      () => `s${number}`,
    );
    const connection = connect(server.origin);
    await connection.call(call("tools/list"), reading);
    number += 1;
    return { server, connection };
  };

  test.each([404, 400])("answered with %i is replaced, and a read is sent again", async (status) => {
    const { server, connection } = await sessions(status);
    expect((await connection.call(call("tools/list"), reading)).body).toEqual({ result: {} });
    expect(methods(server).filter((method) => method === "initialize")).toHaveLength(2);
    expect(methods(server).filter((method) => method === "tools/list")).toHaveLength(3);
  });

  test("fails a write as certainly not done; the next one gets a new session", async () => {
    const { server, connection } = await sessions(404);
    expect(await refusal(connection.call(call("tools/call"), writing))).toMatchObject({
      kind: "status",
      status: 404,
      code: "mcp_session_lost",
    });
    expect(methods(server).filter((method) => method === "tools/call")).toHaveLength(1);
    expect((await connection.call(call("tools/call"), writing)).body).toEqual({ result: {} });
  });
});

test.each([
  ["whole", 1000],
  ["a few bytes at a time", 7],
])("integers above 2^53 stay exact in an answer sent as an event stream, %s", async (_, size) => {
  const server = await serveMcp((message, respond) =>
    respond((response) => {
      const id = JSON.stringify(message.id);
      const data = `{"jsonrpc":"2.0","id":${id},"result":{"structuredContent":{"id":48066188026052611}}}`;
      const events = `event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}\n\nevent: message\ndata: ${data}\n\n`;
      response.writeHead(200, { "content-type": "text/event-stream" });
      for (let at = 0; at < events.length; at += size) response.write(events.slice(at, at + size));
      response.end();
    }),
  );
  const connection = connect(server.origin);
  for (const how of [reading, writing])
    expect((await connection.call(call("tools/call"), how)).body).toEqual({
      result: { structuredContent: { id: 48066188026052611n } },
    });
});

describe("while the request budget has no room", () => {
  const start = async (quietMs: number) => {
    const server = await serveMcp((message, respond) => respond(result(message, { done: true })));
    const clock = createFakeClock();
    const budget = createBudget({ limit: 100, reserve: 10, clock });
    const connection = connect(server.origin, clock, budget);
    await connection.call(call("tools/list"), reading);
    budget.cooldownUntil(clock.monotonic() + quietMs);
    const waits: number[] = [];
    const calling = connection.call(call("tools/call"), {
      ...writing,
      ...{ priority: "agent_writes", waitMs: 100_000, onWaited: (ms) => waits.push(ms) },
    });
    calling.catch(() => {});
    await vi.waitFor(() => expect(budget.waiting).toBe(1));
    const sent = () => methods(server).filter((method) => method === "tools/call");
    return { clock, calling, waits, sent };
  };

  test("a write keeps its turn, is sent when it comes, and its wait is reported separately", async () => {
    const { clock, calling, waits, sent } = await start(95_000);
    await clock.advance(94_999);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect((await calling).body).toEqual({ result: { done: true } });
    expect([sent(), waits]).toEqual([["tools/call"], [95_000]]);
  });

  test("a write whose turn does not come in time was certainly not sent", async () => {
    const { clock, calling, waits, sent } = await start(300_000);
    await clock.advance(100_000);
    expect(await refusal(calling)).toMatchObject({
      code: "budget_timeout",
      maybeSent: false,
      retryable: true,
    });
    await clock.advance(250_000);
    expect([sent(), waits]).toEqual([[], [100_000]]);
  });
});

describe("a misbehaving server", () => {
  test.each([
    ["HTML in a 200", html(200), "invalid_json"],
    ["an error in a 200", json({ error: "plan_limit_exceeded" }), "plan_limit_exceeded"],
    ["nothing", json(""), "no_answer"],
    ["without JSON-RPC", json({ ok: true }), "http_200"],
    ["the answer to something else", json({ jsonrpc: "2.0", id: "other", result: {} }), "no_answer"],
    ["neither result nor error", json({ jsonrpc: "2.0", id: null }), "no_answer"],
    ["a worker that was killed", json({ code: "WORKER_LIMIT" }, 546), "WORKER_LIMIT"],
    ["a redirect", redirect("https://elsewhere.example/", 307), "redirect_method"],
    ["a cut connection", cutAfter('{"jsonrpc'), "connection_lost"],
    ["an endless body", endless("x".repeat(100_000)), "body_too_large"],
    ["a stream without an answer", json("", 200, { "content-type": "text/event-stream" }), "no_answer"],
  ])("with %s is an error, and the write may have been done", async (_, behaviour, code) => {
    const server = await serveMcp((_message, respond) => respond(behaviour));
    const error = await refusal(connect(server.origin).call(call("tools/call"), writing));
    expect(error).toMatchObject({ name: "HttpError", code, maybeSent: true });
    expect(methods(server).filter((method) => method === "tools/call")).toHaveLength(1);
  });

  test("that stays silent is given up, the connection is closed, and nothing more is sent", async () => {
    for (const behaviour of [stallHeaders, stallBody()]) {
      const gone = Promise.withResolvers<void>();
      const server = await serveMcp((_message, respond) =>
        respond((response, ...rest) => {
          response.on("close", gone.resolve);
          behaviour(response, ...rest);
        }),
      );
      const cut = new AbortController();
      const calling = connect(server.origin).call(call("tools/call"), { signal: cut.signal, once: true });
      await server.arrived(3);
      cut.abort();
      expect(await refusal(calling)).toMatchObject({ kind: "aborted", maybeSent: true });
      await gone.promise;
      // No cancellation either: it would be counted.
      expect(methods(server)).toEqual(["initialize", "notifications/initialized", "tools/call"]);
    }
  });

  test.each([
    ["answers HTML", html(502)],
    ["has another protocol", json({ jsonrpc: "2.0", id: 0, result: { protocolVersion: "1066-10-14" } })],
    ["answers no MCP", json({ jsonrpc: "2.0", id: 0, result: [] })],
    ["refuses it", json({ jsonrpc: "2.0", id: 0, error: { code: -32_000, message: "no" } })],
  ])(
    "at the handshake (%s) fails a write as not sent, and the next call tries again",
    async (_, behaviour) => {
      const server = await serve(behaviour);
      const connection = connect(server.origin);
      for (const _again of [1, 2])
        expect(await refusal(connection.call(call("tools/call"), writing))).toMatchObject({
          name: "HttpError",
          maybeSent: false,
        });
      expect(methods(server)).toEqual(["initialize", "initialize"]);
    },
  );
});
