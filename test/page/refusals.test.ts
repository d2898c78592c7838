// Who is refused by the page's server: everyone but the browser that opened its link, and that one too for other pages.

import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, it } from "vitest";
import { startTestControl } from "../support/control.ts";
import { type BrowserRequest, startTestPage, type TestPage } from "../support/page.ts";

const opened = async (): Promise<TestPage> => {
  const control = await startTestControl();
  const page = await startTestPage(control.sockets.operator);
  await page.open();
  return page;
};

/** What a socket answers to these bytes, until it is closed. */
const raw = (port: number, bytes: string): Promise<string> =>
  new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("latin1").on("data", (chunk: string) => {
      text += chunk;
    });
    socket.on("error", () => resolve(text)).on("close", () => resolve(text));
  });

describe("the link", () => {
  it("opens the page once, for a cookie that no script or other site can get", async () => {
    const control = await startTestControl();
    const page = await startTestPage(control.sockets.operator);
    const answer = await page.open();
    expect(answer.status).toBe(200);
    expect(answer.headers["set-cookie"]).toEqual([
      expect.stringMatching(
        new RegExp(`^nexusd_page_${page.port}=[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict$`),
      ),
    ]);
    expect((await page.ask("/v1/status")).json.version).toBe("1.2.3");
    const again = await page.open();
    expect([again.status, again.json.code]).toEqual([403, "link_used"]);
    expect(again.json.detail).toContain("start nexusctl page again");
    expect(again.headers["set-cookie"]).toBeUndefined();
    expect((await page.ask("/v1/status")).status).toBe(200);
  });

  it("of a page that has ended is distinguished from one already used", async () => {
    const page = await opened();
    const old = await page.open("A".repeat(43));
    expect([old.status, old.json.code]).toEqual([403, "link_unknown"]);
    expect(old.json.detail).toContain("has ended");
  });

  it("is not used up by only looking at it, from anywhere", async () => {
    const control = await startTestControl();
    const page = await startTestPage(control.sockets.operator);
    for (const headers of [
      { "sec-fetch-site": "cross-site", "sec-fetch-dest": "document", "sec-fetch-mode": "navigate" },
      { "sec-fetch-site": "none", "sec-fetch-dest": "document", "sec-purpose": "prefetch;prerender" },
      { "sec-fetch-site": undefined, "user-agent": "a link previewer" },
    ]) {
      const answer = await page.ask("/open", { headers });
      expect([answer.status, answer.headers["set-cookie"]]).toEqual([200, undefined]);
    }
    expect((await page.open()).status).toBe(200);
  });

  it.each(["", "{}", '{"key":1}', "null", "[", '{"key":"', `{"key":"${"A".repeat(5000)}"}`])(
    "is not opened by %j",
    async (body) => {
      const page = await opened();
      const answer = await page.ask("/open", { method: "POST", body });
      expect([answer.status, answer.json.code]).toEqual([403, "link_unknown"]);
    },
  );
});

const refusals: [string, BrowserRequest, number, string][] = [
  ["another user's program, without a cookie", { isStranger: true }, 401, "no_page_session"],
  [
    "a cookie alone, which other ports of this host are sent, too",
    { headers: { "nexusd-page": undefined } },
    401,
    "no_page_session",
  ],
  ["the header alone", { headers: { cookie: undefined } }, 401, "no_page_session"],
  [
    "a cookie of its own making",
    { headers: { cookie: "nexusd_page_1=x; nexusd_page=y" } },
    401,
    "no_page_session",
  ],
  [
    "another host name that leads here (DNS rebinding)",
    { headers: { host: "attacker.example" } },
    403,
    "forbidden_origin",
  ],
  ["the name localhost", { headers: { host: "localhost:1" } }, 403, "forbidden_origin"],
  ["no host", { headers: { host: undefined } }, 403, "forbidden_origin"],
  ["another origin", { headers: { origin: "http://attacker.example" } }, 403, "forbidden_origin"],
  ["another port as the origin", { headers: { origin: "http://127.0.0.1:1" } }, 403, "forbidden_origin"],
  ["an opaque origin", { headers: { origin: "null" } }, 403, "forbidden_origin"],
  ["another site", { headers: { "sec-fetch-site": "cross-site" } }, 403, "forbidden_origin"],
  ["another port of this host", { headers: { "sec-fetch-site": "same-site" } }, 403, "forbidden_origin"],
  ["a frame", { headers: { "sec-fetch-dest": "iframe" } }, 403, "forbidden_origin"],
  ["PUT", { method: "PUT" }, 405, "method_not_allowed"],
  ["DELETE", { method: "DELETE" }, 405, "method_not_allowed"],
  [
    "a preflight",
    { method: "OPTIONS", headers: { origin: "http://attacker.example" } },
    405,
    "method_not_allowed",
  ],
];

it.each(refusals)("refuses %s", async (_what, request, status, code) => {
  const page = await opened();
  for (const path of ["/v1/status", "/v1/events/stream"]) {
    const answer = await page.ask(path, request);
    expect([answer.status, answer.json.code, answer.headers["access-control-allow-origin"]]).toEqual([
      ...[status, code, undefined],
    ]);
    expect(answer.text).not.toContain("1.2.3");
  }
});

it.each(["/", "/app.js"])("serves no file of the page to a stranger: %s", async (path) => {
  const page = await opened();
  const answer = await page.ask(path, { isStranger: true, headers: { accept: "text/html" } });
  expect([answer.status, answer.headers["content-type"]]).toEqual([401, "text/plain; charset=utf-8"]);
  expect(answer.text).toContain("nexusctl page");
  expect((await page.ask(path)).status).toBe(200);
});

const forms: [string, NonNullable<BrowserRequest["headers"]>, number][] = [
  ["without an origin", { origin: undefined }, 403],
  ["as text/plain", { "content-type": "text/plain" }, 415],
  ["as a form", { "content-type": "application/x-www-form-urlencoded" }, 415],
  ["as text that looks like JSON", { "content-type": "text/plain; application/json" }, 415],
  ["without a type", { "content-type": undefined }, 415],
  ["navigated to", { "sec-fetch-site": "none", origin: undefined }, 403],
  ["from another site", { origin: "https://attacker.example", "sec-fetch-site": "cross-site" }, 403],
];

it.each(forms)("refuses a change %s", async (_how, headers, status) => {
  const control = await startTestControl();
  const page = await startTestPage(control.sockets.operator);
  await page.open();
  const before = control.writes.calls.length;
  const body = JSON.stringify({ digest: "a".repeat(64) });
  const answer = await page.ask("/v1/writes/w1/approve", { method: "POST", headers, body });
  expect(answer.status).toBe(status);
  expect(control.writes.calls.length).toBe(before);
});

it.each([
  "//v1/status",
  "/v1//status",
  "/v1/../v1/status",
  "/v1/writes/../reload",
  "/v1/writes/%2e%2e/status",
  "/v1/messaging/sessions/%2e%2e/messages",
  "/v1/messaging/sessions/a%2Fb/messages",
  "/v1/messaging/sessions/a%252Fb/messages",
  "/v1/messaging/sessions/a%5Cb/messages",
  "/v1/messaging/sessions/a%00b/messages",
  "/v1/messaging/sessions/%FF/messages",
  "/v1/status?a=1?b=2",
  "/v1/status#x",
  "/v1/status/",
  "/V1/status",
  "/v1/audit/verify",
  "/v1/backup",
  "/metrics",
  "/openapi.json",
  "/.git/config",
  "/../package.json",
  "/%2e%2e/package.json",
  "/app.js/",
  "/toString",
  "/__proto__",
])("serves nothing at %s", async (path) => {
  const page = await opened();
  const answer = await page.ask(path);
  expect([answer.status, answer.json.code]).toEqual([404, "not_found"]);
});

it.each([
  "/v1/reload",
  "/v1/writes",
  "/v1/reads",
  "/v1/writes/reject",
  "/v1/messaging/import",
  "/",
  "/v1/status",
])("changes nothing by POST %s", async (path) => {
  const page = await opened();
  expect((await page.ask(path, { method: "POST", body: "{}" })).status).toBe(404);
});

it("uses only the path of a request's target", async () => {
  const { port } = await opened();
  const head = `HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nconnection: close\r\n\r\n`;
  expect(await raw(port, `GET http://127.0.0.1:${port}/v1/status ${head}`)).toMatch(/^HTTP\/1.1 40[14] /);
  expect(await raw(port, `OPTIONS * ${head}`)).toMatch(/^HTTP\/1.1 405 /);
  expect(await raw(port, `CONNECT 127.0.0.1:22 ${head}`)).toBe("");
});

it("refuses a second Host header, which another parser might prefer", async () => {
  const { port } = await opened();
  const head = `HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nhost: attacker.example\r\nconnection: close\r\n\r\n`;
  expect(await raw(port, `GET /open ${head}`)).toMatch(/^HTTP\/1.1 40[03] /);
});

it("listens only on 127.0.0.1", async () => {
  const { port } = await opened();
  const others = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const reached = others
    .filter(({ address }) => address !== "127.0.0.1")
    .map(
      ({ address }) =>
        new Promise<string | undefined>((resolve) => {
          const socket = connect(port, address, () => resolve(address));
          socket.on("error", () => resolve(undefined)).setTimeout(2000, () => resolve(undefined));
        }),
    );
  expect((await Promise.all(reached)).filter(Boolean)).toEqual([]);
});

it.each(["/open", "/", "/v1/status", "/v1/nothing"])("sets the protective headers at %s", async (path) => {
  const page = await opened();
  const { headers } = await page.ask(path);
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
  });
  const policy = headers["content-security-policy"];
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
  ])
    expect(policy).toContain(part);
  expect(policy).not.toMatch(/unsafe|\*|http|data:/);
});
