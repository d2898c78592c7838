import { describe, expect, it } from "vitest";
import type { Write } from "../../src/contract/writes.ts";
import { systemClock } from "../../src/core/clock.ts";
import { width } from "../../src/core/text/visible.ts";
import { createHttpClient } from "../../src/http/transport.ts";
import { sessionCredential } from "../../src/services/messaging/facts.ts";
import { API_KEY } from "../../src/services/nex/operation.ts";
import { AGENT_TOKEN } from "../../src/services/nexus/facts.ts";
import type { Credential, OperationRequest } from "../../src/services/operation.ts";
import { NO_CREDENTIAL } from "../../src/services/operation.ts";
import { previewChanges, previewOf, renderPreview } from "../../src/writes/preview.ts";
import fc from "../support/fc.ts";
import { json as answerJson, serve } from "../support/http-server.ts";
import { proposedWrite } from "../support/stored-write.ts";

const request = (changes: Partial<OperationRequest> = {}): OperationRequest => ({
  method: "POST",
  origin: "https://nexus.example",
  path: "/rest/v1/orders",
  label: "POST /rest/v1/orders",
  credential: AGENT_TOKEN,
  ...changes,
});

const write = (changes: Partial<Write> = {}): Write =>
  proposedWrite({
    id: "01WRITE",
    reason: "the customer asked",
    agent: "claude",
    preview: previewOf(request({ json: { sku: "TEA", count: 2 } })),
    ...changes,
  });

describe("the preview of a request", () => {
  it("names credentials and never contains one", () => {
    const named: [Credential, Record<string, string>][] = [
      [NO_CREDENTIAL, {}],
      [API_KEY, { authorization: "‹api key›" }],
      [AGENT_TOKEN, { authorization: "‹agent token›", apikey: "‹anon key›" }],
      [sessionCredential("s"), { "x-session-key": "‹session key›" }],
    ];
    for (const [credential, expected] of named) {
      const { headers } = previewOf(request({ credential }));
      const shown = Object.fromEntries(headers.map(({ name, value }) => [name, value]));
      expect(shown).toEqual({ accept: "application/json", "accept-encoding": "identity", ...expected });
    }
  });

  it("is exactly what reaches the server: method, URL, headers and body", async () => {
    const server = await serve(answerJson({}));
    const sent = request({
      origin: server.origin,
      method: "PATCH",
      path: "/rest/v1/orders?id=eq.ü%20&x=[1]#part",
      headers: { Prefer: "return=representation", "X-Agent-Id": "nexusd" },
      json: { big: 12345678901234567890n, text: "\u202eü\n" },
      credential: NO_CREDENTIAL,
    });
    const { method, path, label, headers = {}, json } = sent;
    const client = createHttpClient({
      ...{ service: "nexus", origin: server.origin, clock: systemClock, timeoutMs: 5000, maxBytes: 1000 },
      userAgent: "nexusd/test",
    });
    await client.request({ method, path, label, headers, json });

    const preview = previewOf(sent);
    const [seen] = server.requests;
    expect(preview.method).toBe(seen?.method);
    expect(preview.url).toBe(server.origin + seen?.url);
    expect(preview.body).toBe(seen?.body);
    // Headers that HTTP itself adds.
    const { host, connection, "content-length": length, "user-agent": agent, ...rest } = seen?.headers ?? {};
    expect(Object.fromEntries(preview.headers.map(({ name, value }) => [name, value]))).toEqual(rest);
  });

  it("is refused for a path that leads elsewhere", () => {
    expect(() => previewOf(request({ path: "@evil.example/x" }))).toThrow(/not one on the service's origin/);
    expect(() => previewOf(request({ path: "/a/../../b" }))).toThrow(/not one on the service's origin/);
  });

  it("is compared in all its parts", () => {
    const before = previewOf(request({ json: { a: 1 }, headers: { prefer: "x" } }));
    const changes = (other: Partial<OperationRequest>) =>
      previewChanges(before, previewOf(request({ json: { a: 1 }, headers: { prefer: "x" }, ...other })));
    expect(changes({})).toEqual([]);
    expect(changes({ method: "PUT" })).toEqual(["the method"]);
    expect(changes({ path: "/rest/v1/orders?x=1" })).toEqual(["the URL"]);
    expect(changes({ origin: "https://other.example" })).toEqual(["the URL"]);
    expect(changes({ json: { a: 2 } })).toEqual(["the body"]);
    expect(changes({ json: undefined })).toEqual(["the header content-type", "the body"]);
    expect(changes({ headers: { prefer: "y", more: "z" } })).toEqual([
      "the header prefer",
      "the header more",
    ]);
    expect(changes({ credential: API_KEY })).toEqual(["the header authorization", "the header apikey"]);
  });
});

describe("a person's view of a write", () => {
  it("is the whole request and everything that belongs to it", () => {
    const text = renderPreview(write({ precondition: '{"status":"pending"}' }));
    expect(text).toBe(
      `nexus.orders.update_status

  │ POST https://nexus.example/rest/v1/orders
  │ accept: application/json
  │ accept-encoding: identity
  │ content-type: application/json
  │ authorization: ‹agent token›
  │ apikey: ‹anon key›

  body, 23 bytes (line breaks and blanks between its parts are added)
  │ {
  │   "sku": "TEA",
  │   "count": 2
  │ }

  only if   still {"status":"pending"} (as read at the proposal)
  sent      at most once
  reason    "the customer asked"
  agent     calls itself "claude"
  proposed  2026-03-01T12:00:00.000Z
  expires   2026-03-01T13:00:00.000Z
  write     01WRITE
  digest    ${write().digest}`,
    );
  });

  it("marks a permanent deletion, and reports what is missing", () => {
    const shown = renderPreview(
      write({ destructive: true, reason: null, agent: null, preview: previewOf(request()) }),
    );
    expect(shown.split("\n")[1]).toBe("!! THIS DELETES FOR GOOD: it cannot be taken back.");
    expect(shown).toContain("\n  without a body\n");
    expect(shown).toContain("\n  reason    none given\n");
    expect(shown).toContain("\n  agent     gave itself no name\n");
  });

  it("lists look-alikes above everything else, with the place and the code point", () => {
    const text = "the shop is at w\u043erkshop.example";
    const shown = renderPreview(
      write({
        reason: "as\u200b agreed",
        preview: previewOf(request({ path: "/x?q=\u0430b", json: { lines: [{ note: text }] } })),
      }),
      { width: 200 },
    ).split("\n");
    expect(shown.filter((line) => line.startsWith("!! "))).toEqual([
      "!! NOT WHAT IT LOOKS LIKE: some characters look like others, or are invisible.",
      expect.stringMatching(
        /^!! in the URL, in ".*": "\u0430" is U\+0430, a Cyrillic letter that looks like "a"$/,
      ),
      '!! in the body at lines[0].note, in "w\u043erkshop.example": "\u043e" is U+043E, a Cyrillic letter that looks like "o"',
      '!! in the reason, in "as\\u{200b}": U+200B is invisible',
    ]);
    expect(
      shown.indexOf("!! NOT WHAT IT LOOKS LIKE: some characters look like others, or are invisible."),
    ).toBe(1);
    const many = write({ reason: Array.from({ length: 50 }, (_, n) => `\u0430b${n}`).join(" ") });
    expect(renderPreview(many).split("\n")[12]).toBe("!! and 40 more like these");
    expect(renderPreview(write({ reason: "Привет, мир: 你好" }))).not.toContain("!!");
  });

  it("is shortened only on request, and then says how much is left and what that means", () => {
    const long = write({
      preview: previewOf(request({ json: { lines: Array.from({ length: 500 }, (_, n) => n) } })),
    });
    expect(renderPreview(long).split("\n").length).toBeGreaterThan(500);
    const short = renderPreview(long, { maxBodyLines: 10 });
    expect(short).toContain(
      "\n  … 494 more lines are not shown: it cannot be approved (limits.preview_lines)\n",
    );
    expect(short.match(/^ {2}│ {5}\d+,$/gm)).toHaveLength(8);
  });

  const hostile = fc
    .array(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 20 }),
        fc.constantFrom(
          ...[
            "\n",
            "\r",
            "\u001b[2J",
            "\u202e",
            "\u200b",
            "\u00a0",
            '"',
            "\\",
            "\u0301",
            "x".repeat(90),
            "漢".repeat(50),
          ],
          ...["\n  │ DELETE https://evil.example/", "\n\n  reason    ", "  ┊ ", "↩"],
        ),
      ),
      { maxLength: 5 },
    )
    .map((parts) => parts.join(""));
  const hostileWrite = fc
    .record({ reason: hostile, agent: hostile, header: hostile, key: hostile, value: hostile })
    .map(({ reason, agent, header, key, value }) =>
      write({
        reason,
        agent,
        precondition: JSON.stringify({ [key]: value }),
        preview: {
          method: "POST",
          url: `https://nexus.example/?x=${encodeURIComponent(value.toWellFormed())}`,
          headers: [{ name: "prefer", value: header }],
          body: JSON.stringify({ [key]: [value, reason] }),
        },
      }),
    );

  it("contains no line that an agent's text could have forged, at any width", () => {
    fc.assert(
      fc.property(hostileWrite, fc.integer({ min: 0, max: 140 }), (shown, columns) => {
        const lines = renderPreview(shown, { width: columns }).split("\n");
        for (const line of lines) {
          expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u);
          expect(width(line.replace(/[│┊↩]/g, "漢"))).toBeLessThanOrEqual(Math.max(40, columns));
        }
        // Every line not in nexusd's own words belongs to the frame, or starts with one of nexusd's labels.
        const labels =
          /^!! |^ {2}(│ |┊ |only if {3}|sent {6}|reason {4}|agent {5}|proposed {2}|expires {3}|write {5}|digest {4}|body, | {8}┊ )/;
        for (const line of lines.slice(2))
          expect(line === "" || labels.test(line), JSON.stringify(line)).toBe(true);
        for (const label of ["reason ", "agent ", "digest ", "write "])
          expect(lines.filter((line) => line.startsWith(`  ${label}`))).toHaveLength(1);
      }),
      { numRuns: 300 },
    );
  });

  it("tells two different bodies apart", () => {
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        fc.pre(a !== b);
        const shown = [a, b].map((text) =>
          renderPreview(write({ preview: { ...previewOf(request()), body: JSON.stringify({ text }) } })),
        );
        expect(shown[0]).not.toBe(shown[1]);
      }),
      { numRuns: 300 },
    );
  });

  it("is ready at once for the largest body", () => {
    const body = JSON.stringify({ text: "a\u202e".repeat(200_000) });
    // Processor time: other tests may run on the same core.
    const before = process.cpuUsage();
    renderPreview(write({ preview: { ...previewOf(request()), body } }));
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(3000);
  });
});
