// Bytes on agent.sock that different parsers read differently: none of them decides anything.

import { connect } from "node:net";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Write } from "../../src/contract/writes.ts";
import { startTestControl, type TestControl } from "../support/control.ts";
import { propose } from "../support/stored-write.ts";
import { ORDER_ID, realWritePath } from "../support/write-path.ts";

const CRLF = "\r\n";
const LAST = ["GET /v1/health HTTP/1.1", "host: nexusd", "connection: close", "", ""].join(CRLF);

let control: TestControl;
let write: Write;
let before: unknown;

beforeAll(async () => {
  const cleanups: (() => Promise<unknown>)[] = [];
  control = await startTestControl({
    writePath: (store, clock) => realWritePath({ store, clock }),
    cleanup: (work) => cleanups.unshift(work),
  });
  return async () => {
    for (const cleanup of cleanups) await cleanup();
  };
});

const everything = async () => {
  const { store } = control;
  return [await store.readWrites({ limit: 1000 }), await store.readAudit({ limit: 1000 })];
};
const actionsOn = async (writeId: string) =>
  (await control.store.readAudit({ limit: 1000, writeId })).map(({ action }) => action);

beforeEach(async () => {
  write = await propose(control.store, { expiresAt: "9999-01-01T00:00:00.000Z" });
  before = await everything();
});

interface Told {
  statuses: number[];
  text: string;
}

/** Sends the bytes and then a last request that ends the connection. @returns all that was answered until then */
async function tell(bytes: string | Buffer): Promise<Told> {
  const socket = connect(control.sockets.agent);
  let text = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  // A cut connection is fine: the answers before it count.
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.write(bytes);
  socket.write(LAST);
  // A parser that still waits for more has swallowed the last request: there is no more.
  const impatient = setTimeout(() => socket.end(), 300);
  await closed;
  clearTimeout(impatient);
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) [A-Z]/g)].map(([, status]) => Number(status));
  return { statuses, text };
}

const request = (line: string, headers: string[] = [], body = "") =>
  [line, "host: nexusd", ...headers, "", body].join(CRLF);

const withBody = (line: string, body: string, headers: string[] = []) =>
  request(
    line,
    ["content-type: application/json", `content-length: ${Buffer.byteLength(body)}`, ...headers],
    body,
  );

const approval = () => JSON.stringify({ digest: write.digest });
const approve = (headers: string[] = [], line = `POST /v1/writes/${write.id}/approve HTTP/1.1`) =>
  withBody(line, approval(), headers);

const undecided = async () => expect(await everything()).toEqual(before);

test("an approval is 403, and the connection stays open", async () => {
  expect((await tell(approve())).statuses).toEqual([403, 200]);
  await undecided();
});

test("an approval sent in one piece with its proposal is still 403", async () => {
  const input = { orderId: ORDER_ID, orderStatus: "shipped" };
  const body = JSON.stringify({ operation: "nexus.orders.update_status", input });
  const proposal = withBody("POST /v1/writes HTTP/1.1", body);
  const { statuses, text } = await tell(proposal + approve() + proposal + approve());
  expect(statuses).toEqual([202, 403, 202, 403, 200]);
  const ids = [...text.matchAll(/"id":"(\w+)"/g)].map(([, id = ""]) => id);
  expect(ids).toHaveLength(2);
  for (const id of [write.id, ...ids]) expect(await actionsOn(id)).toEqual(["proposed"]);
});

test("200 approvals in one piece are 200 times 403", async () => {
  const { statuses } = await tell(Array.from({ length: 200 }, () => approve()).join(""));
  expect(statuses).toEqual([...Array(200).fill(403), 200]);
  await undecided();
});

describe("an ambiguous length ends the connection", () => {
  const chunked = () => `${approval().length.toString(16)}\r\n${approval()}\r\n0\r\n\r\n`;
  const inner = () => approve();
  const line = "POST /v1/writes HTTP/1.1";

  test.each<[string, () => string]>([
    [
      "content-length, then chunked",
      () => request(line, ["content-length: 4", "transfer-encoding: chunked"], inner()),
    ],
    [
      "chunked, then content-length",
      () => request(line, ["transfer-encoding: chunked", "content-length: 4"], inner()),
    ],
    ["two lengths", () => request(line, ["content-length: 0", "content-length: 300"], inner())],
    ["two lengths in one", () => request(line, ["content-length: 0, 300"], inner())],
    ["a length with a sign", () => request(line, ["content-length: +0"], inner())],
    ["a length in hex", () => request(line, ["content-length: 0x10"], inner())],
    ["a length with a space in its name", () => request(line, ["content-length : 0"], inner())],
    ["a length below zero", () => request(line, ["content-length: -1"], inner())],
    ["a length beyond all numbers", () => request(line, ["content-length: 99999999999999999999"], inner())],
    ["another coding", () => request(line, ["transfer-encoding: xchunked"], inner())],
    ["chunked, but not last", () => request(line, ["transfer-encoding: chunked, identity"], inner())],
    [
      "chunked twice over",
      () => request(line, ["transfer-encoding: chunked", "transfer-encoding: identity"], inner()),
    ],
    ["a folded header", () => request(line, ["transfer-encoding:", " chunked"], inner())],
    ["a tab before the colon", () => request(line, ["transfer-encoding\t: chunked"], inner())],
    ["a header with a bare line feed", () => `${line}\nhost: nexusd\ncontent-length: 0\n\n${inner()}`],
    ["a header with a bare carriage return", () => request(line, ["x: a\rcontent-length: 5"], inner())],
    ["a header with NUL", () => request(line, ["x: a\0b"], inner())],
    ["a chunk size with a sign", () => request(line, ["transfer-encoding: chunked"], `-1\r\n${inner()}`)],
    [
      "a chunk size that overflows",
      () => request(line, ["transfer-encoding: chunked"], `ffffffffffffffff1\r\n${inner()}`),
    ],
    [
      "a chunk that goes on after its size",
      () => request(line, ["transfer-encoding: chunked"], `1\r\nabc\r\n${inner()}`),
    ],
  ])("%s", async (_what, bytes) => {
    const { statuses, text } = await tell(bytes());
    expect(statuses.at(-1)).toBe(400);
    expect(text).not.toContain('"status":"ok"');
    await undecided();
  });

  test("a chunked approval, with extensions and trailers, is still an approval, and 403", async () => {
    const line = `POST /v1/writes/${write.id}/approve HTTP/1.1`;
    const headers = ["content-type: application/json", "transfer-encoding: chunked", "trailer: host"];
    const extended = `1;a="b"\r\n{\r\n${(approval().length - 1).toString(16)}\r\n${approval().slice(1)}\r\n`;
    for (const body of [chunked(), `${extended}0\r\nhost: example.com\r\n\r\n`])
      expect((await tell(request(line, headers, body))).statuses).toEqual([403, 200]);
    await undecided();
  });

  test("a request inside another request's body is just a body", async () => {
    const { statuses } = await tell(withBody("POST /v1/reads HTTP/1.1", approve()));
    expect(statuses[0]).toBe(400);
    expect(statuses).not.toContain(403);
    await undecided();
  });

  test("a body on a GET is not read as a request", async () => {
    const { statuses } = await tell(withBody("GET /v1/health HTTP/1.1", approve()));
    expect(statuses).toEqual([200, 200]);
    await undecided();
  });
});

describe("only one path leads to the approval", () => {
  const path = () => `/v1/writes/${write.id}/approve`;
  test.each<[string, () => string]>([
    ["an absolute target", () => `POST http://nexusd${path()} HTTP/1.1`],
    ["an absolute target of another host", () => `POST http://operator.sock${path()} HTTP/1.1`],
    ["an absolute target of a socket", () => `POST unix:${control.sockets.operator}:${path()} HTTP/1.1`],
    ["no leading slash", () => `POST ${path().slice(1)} HTTP/1.1`],
    ["an asterisk", () => "POST * HTTP/1.1"],
    ["two slashes", () => `POST /${path()} HTTP/1.1`],
    ["two slashes inside", () => `POST ${path().replace("/writes/", "/writes//")} HTTP/1.1`],
    ["a slash at the end", () => `POST ${path()}/ HTTP/1.1`],
    ["a slash in hex", () => `POST ${path().replace("/approve", "%2fapprove")} HTTP/1.1`],
    ["a word in hex", () => `POST ${path().replace("approve", "%61pprove")} HTTP/1.1`],
    ["a word in capitals", () => `POST ${path().replace("approve", "APPROVE")} HTTP/1.1`],
    ["a detour", () => `POST /v1/health/../writes/${write.id}/approve HTTP/1.1`],
    ["a detour in hex", () => `POST /v1/health/..%2fwrites%2f${write.id}%2fapprove HTTP/1.1`],
    ["a detour in hex twice", () => `POST /v1/health/%252e%252e/writes/${write.id}/approve HTTP/1.1`],
    ["a detour from cancel", () => `POST /v1/writes/${write.id}/cancel/../approve HTTP/1.1`],
    ["a dot", () => `POST /v1/./writes/${write.id}/approve HTTP/1.1`],
    ["a backslash", () => `POST /v1/writes/${write.id}\\approve HTTP/1.1`],
    ["parameters of a segment", () => `POST ${path()};x=1 HTTP/1.1`],
    ["a NUL", () => `POST ${path()}%00 HTTP/1.1`],
    ["a line break", () => `POST ${path()}%0d%0a HTTP/1.1`],
    ["a fragment", () => `POST ${path()}#x HTTP/1.1`],
    ["a query", () => `POST ${path()}?operator=1 HTTP/1.1`],
    ["a full-width slash", () => `POST /v1/writes/${write.id}%ef%bc%8fapprove HTTP/1.1`],
    ["another method", () => `PUT ${path()} HTTP/1.1`],
    ["another method again", () => `PATCH ${path()} HTTP/1.1`],
    ["a method in small letters", () => `post ${path()} HTTP/1.1`],
    ["a method that nobody knows", () => `APPROVE ${path()} HTTP/1.1`],
    ["HTTP/1.0", () => `POST ${path()} HTTP/1.0`],
    ["HTTP/0.9", () => `POST ${path()} HTTP/0.9`],
    ["HTTP/0.9 without a version", () => `POST ${path()}`],
    ["HTTP/2.0", () => `POST ${path()} HTTP/2.0`],
    ["HTTP/1.1 with a sign", () => `POST ${path()} HTTP/+1.1`],
    ["CONNECT", () => `CONNECT ${path()} HTTP/1.1`],
    ["CONNECT to the other socket", () => `CONNECT ${control.sockets.operator} HTTP/1.1`],
    ["TRACE", () => `TRACE ${path()} HTTP/1.1`],
    ["the preface of HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("%s is refused", async (_what, line) => {
    const { statuses, text } = await tell(approve([], line()));
    // CONNECT is not answered at all; the last request, after it, may be.
    expect(statuses.filter((status) => status < 400).length).toBeLessThanOrEqual(1);
    expect(statuses.filter((status) => status >= 500)).toEqual([]);
    expect(text).not.toContain('"state":');
    await undecided();
  });
});

describe("no header grants a right", () => {
  test.each([
    "x-http-method-override: GET",
    "x-method-override: PUT",
    "x-original-url: /v1/health",
    "x-rewrite-url: /v1/health",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-host: operator.sock",
    "x-forwarded-user: root",
    "x-real-ip: ::1",
    "forwarded: for=unix:operator.sock",
    "x-role: operator",
    "nexusd-role: operator",
    "nexusd-socket: operator",
    "authorization: Basic cm9vdDpyb290",
    "cookie: role=operator",
    "accept-version: operator",
    "via: 1.1 operator.sock",
    "expect: 100-continue",
    "upgrade: websocket\r\nconnection: upgrade",
    "upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__",
    "connection: host, content-length",
    "content-encoding: gzip",
    "te: trailers",
  ])("%s", async (header) => {
    const { statuses } = await tell(approve([header]));
    expect(statuses).toContain(403);
    expect(statuses.filter((status) => status >= 500)).toEqual([]);
    await undecided();
  });

  test("a header that overrides the method turns nothing into an approval", async () => {
    const { statuses } = await tell(
      request(`GET /v1/writes/${write.id}/approve HTTP/1.1`, ["x-http-method-override: POST"]),
    );
    expect(statuses).toEqual([405, 200]);
    await undecided();
  });
});

test("an approval whose connection breaks before, in or after its body changes nothing", async () => {
  const bytes = approve();
  for (let length = 1; length <= bytes.length; length += 7) {
    const socket = connect(control.sockets.agent);
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.on("close", resolve));
    socket.end(bytes.slice(0, length));
    socket.resume();
    await closed;
  }
  await undecided();
  expect(control.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});
