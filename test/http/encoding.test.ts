// Answers that should be plain UTF-8 and are not: read as intended, or refused with the reason.

import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import type { HttpError } from "../../src/http/errors.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { createMcpConnection } from "../../src/services/nexus/mcp/connection.ts";
import { html, serve } from "../support/http-server.ts";

const MAX_BYTES = 100_000;
const JSON_TYPE = { "content-type": "application/json" };
const TEXT = '{"error":"session_not_found","name":"größe"}';

const answers = async (body: Buffer | string, headers: Record<string, string>, status = 200) => {
  const server = await serve((response) =>
    response.writeHead(status, { ...JSON_TYPE, ...headers }).end(body),
  );
  return client(server.origin).request({ method: "GET", path: "/", label: "GET /" });
};
const client = (origin: string) =>
  createHttpClient({
    ...{ service: "messaging", origin, clock: systemClock, timeoutMs: 20_000, maxBytes: MAX_BYTES },
    userAgent: "nexusd/test",
  });
const failure = async (answer: Promise<unknown>): Promise<HttpError> =>
  await answer.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );

const ENCODINGS: [string, Buffer][] = [
  ["gzip", gzipSync(TEXT)],
  ["X-GZIP", gzipSync(TEXT)],
  ["br", brotliCompressSync(TEXT)],
  ["deflate", deflateSync(TEXT)],
  ["zstd", zstdCompressSync(TEXT)],
  ["gzip, br", brotliCompressSync(gzipSync(TEXT))],
  ["identity, gzip", gzipSync(TEXT)],
  ["identity", Buffer.from(TEXT)],
  ["", Buffer.from(TEXT)],
];

describe("an answer encoded although no encoding was requested", () => {
  test.each(ENCODINGS)("as %j is read correctly", async (encoding, body) => {
    const response = await answers(body, { "content-encoding": encoding });
    expect(response.json()).toEqual(JSON.parse(TEXT));
    expect(response.headers).not.toHaveProperty("content-encoding");
  });

  test.each(ENCODINGS)("as %j is read correctly if it is an error, with its code", async (encoding, body) => {
    const error = await failure(answers(body, { "content-encoding": encoding }, 404));
    expect(error).toMatchObject({ status: 404, code: "session_not_found" });
  });

  test.each([
    ["an unknown encoding", "snappy", Buffer.from(TEXT), "unknown_encoding"],
    ["one encoding too many", "gzip, gzip, gzip", Buffer.from(TEXT), "unknown_encoding"],
    ["an encoding that it is not in", "gzip", Buffer.from(TEXT), "undecodable_body"],
    ["an encoding that ends too early", "br", brotliCompressSync(TEXT).subarray(0, 20), "undecodable_body"],
  ])("in %s is refused, with a remedy", async (_, encoding, body, code) => {
    const error = await failure(answers(body, { "content-encoding": encoding }));
    expect(error).toMatchObject({ kind: "invalid_body", code, status: 200 });
    expect(error.message).toContain("Turn off compression in between");
    // An error's status says more than the fault in its body.
    const refusal = await failure(answers(body, { "content-encoding": encoding }, 404));
    expect(refusal).toMatchObject({ kind: "status", status: 404, code: "http_404" });
  });

  test("is recognised only by unambiguous names", async () => {
    const error = await failure(answers(TEXT, { "content-encoding": "a secret" }));
    expect(error.message).not.toContain("secret");
  });

  test("is measured by its decoded size", async () => {
    const error = await failure(
      answers(gzipSync(Buffer.alloc(MAX_BYTES + 1)), { "content-encoding": "gzip" }),
    );
    expect(error).toMatchObject({ kind: "too_large", code: "body_too_large" });
  });

  test("has no body if it has none, whatever it claims", async () => {
    expect((await answers("", { "content-encoding": "gzip" }, 204)).body).toHaveLength(0);
  });

  test.each<[string, string, (text: string) => Buffer]>([
    ["gzip", "application/json", gzipSync],
    ["gzip", "text/event-stream", gzipSync],
    ["br", "text/event-stream", brotliCompressSync],
    ["zstd", "text/event-stream", zstdCompressSync],
  ])("of the MCP server is read too: %s of %s", async (encoding, type, encoded) => {
    const server = await serve((response, { body }) => {
      const message = JSON.parse(body);
      if (message.id === undefined) return void response.writeHead(202).end();
      const serverInfo = { name: "scripted", version: "1" };
      const hello = { protocolVersion: "2025-03-26", capabilities: { tools: {} }, serverInfo };
      const result = message.method === "initialize" ? hello : { tools: [] };
      const json = JSON.stringify({ jsonrpc: "2.0", id: message.id, result });
      response
        .writeHead(200, { "content-type": type, "content-encoding": encoding })
        .end(encoded(type === "application/json" ? json : `event: message\ndata: ${json}\n\n`));
    });
    const http = client(server.origin);
    const mcp = createMcpConnection({ http, clock: systemClock, version: "0.0.0" });
    const json = { jsonrpc: "2.0", id: "1", method: "tools/list", params: {} };
    const signal = new AbortController().signal;
    expect((await mcp.call({ label: "tools/list", json }, { signal, once: false })).body).toEqual({
      result: { tools: [] },
    });
  });
});

describe("the text of an answer", () => {
  const typed = (charset: string) => ({ "content-type": `application/json; charset=${charset}` });
  test.each<[string, string, Buffer]>([
    ["UTF-8, whatever it says", "iso-8859-1", Buffer.from(TEXT)],
    ["Latin 1, where it is no UTF-8", "iso-8859-1", Buffer.from(TEXT, "latin1")],
    ["UTF-16", "utf-16le", Buffer.from(TEXT, "utf16le")],
    ["UTF-8 with quotes around it", '"UTF-8"', Buffer.from(TEXT)],
    ["UTF-8 in a charset that nobody knows", "made-up", Buffer.from(TEXT)],
  ])("is %s", async (_, charset, body) => {
    expect((await answers(body, typed(charset))).json()).toEqual(JSON.parse(TEXT));
  });

  test("in an unknown charset is refused if it is not UTF-8", async () => {
    const response = await answers(Buffer.from(TEXT, "latin1"), typed("made-up"));
    expect(() => response.json()).toThrow("in a charset that nexusd does not read");
  });

  test("that is a login page with status 200 is reported as that", async () => {
    const server = await serve(html(200));
    const response = await client(server.origin).request({ method: "GET", path: "/", label: "GET /" });
    expect(() => response.json()).toThrow("a page instead of JSON");
  });

  test("of random bytes is not JSON", async () => {
    const response = await answers(Buffer.from([0xff, 0x00, 0x9c, 0x7b, 0xc1]), JSON_TYPE);
    expect(() => response.json()).toThrow("without valid JSON");
  });
});
