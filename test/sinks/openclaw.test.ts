// A wake of an OpenClaw gateway, against servers that answer as the real one does (test/openclaw) and worse.

import { expect, test } from "vitest";
import { openclaw } from "../../src/sinks/openclaw/kind.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import {
  type Behaviour,
  closedOrigin,
  cutAfter,
  endless,
  html,
  json,
  redirect,
  serve,
  stallBody,
  stallHeaders,
} from "../support/http-server.ts";
import { openTarget, someNotice } from "../support/sink-target.ts";

const TOKEN = "a-made-up-token-of-a-test";
const heard = json({ ok: true, mode: "now", eventOutcome: "queued" });
const plain =
  (status: number, text: string, headers = {}): Behaviour =>
  (response) =>
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...headers }).end(text);

const openAt = (url: string, more = {}, options = {}) =>
  openTarget(openclaw, { url, ...more }, { secrets: { token: TOKEN }, ...options });

test("a wake names the agent, authenticates itself, and tells the model in one line what to do", async () => {
  const server = await serve(heard);
  const { hand } = await openAt(server.origin, { agent_id: "shop" });
  expect(await hand()).toEqual({ kind: "heard" });
  const [seen] = server.requests;
  expect([seen?.method, seen?.url]).toEqual(["POST", "/hooks/wake"]);
  expect(seen?.headers).toMatchObject({
    authorization: `Bearer ${TOKEN}`,
    "content-type": "application/json",
  });
  const { text, ...body } = JSON.parse(seen?.body ?? "");
  expect(body).toEqual({ mode: "now", agentId: "shop" });
  expect(text).toMatch(
    /^nexusd: 2 events for the consumer "agent" \(4 to 5\): 2 messaging\.message\.received\./,
  );
  expect(text).toMatch(/events_read.*events_ack/);
  expect(text).not.toContain("\n");
  expect(text.length).toBeLessThan(400);
});

test("a test says that no action is needed", async () => {
  const server = await serve(heard);
  const { hand } = await openAt(server.origin);
  await hand({ ...someNotice, test: true });
  expect(JSON.parse(server.requests[0]?.body ?? "").text).toMatch(
    /This is a test\. Nothing is to be done\.$/,
  );
});

test.each([
  ["", "/hooks/wake"],
  ["/", "/hooks/wake"],
  ["/hooks", "/hooks/wake"],
  ["/hooks/", "/hooks/wake"],
  ["/claw/in", "/claw/in/wake"],
])("with hooks at %j the gateway is woken at %s", async (path, woken) => {
  const server = await serve(heard);
  const { hand } = await openAt(server.origin + path);
  await hand();
  expect(server.requests.map(({ url }) => url)).toEqual([woken]);
});

test.each<[string, Behaviour, string, RegExp]>([
  ["a wrong token", plain(401, "Unauthorized"), "token_refused", /hooks\.token/],
  ["no such agent", json({ ok: false, error: 'unknown agentId "main"' }, 400), "unknown_agent", /agent_id/],
  ["a form of another version", json({ ok: false, error: "text required" }, 400), "bad_request", /log/],
  ["hooks that are off", plain(404, "Not Found"), "hooks_off", /hooks\.enabled/],
  ["another program", plain(405, "Method Not Allowed", { allow: "GET" }), "not_openclaw", /url/],
  ["a small limit", json({ ok: false, error: "payload too large" }, 413), "too_large", /limits/],
  ["a page of a proxy", html(200), "not_openclaw", /url/],
  ["JSON of another program", json({ status: "ok" }), "not_openclaw", /url/],
  ["a list", json([true]), "not_openclaw", /url/],
  ["an empty answer", json(""), "not_openclaw", /url/],
  ["an error page", html(500), "http_500", /log/],
  ["a redirect", redirect("/login"), "redirect", /url/],
  ["a redirect elsewhere", redirect("http://127.0.0.1:1/"), "redirect", /url/],
  ["a cut answer", cutAfter('{"ok":true'), "connection_lost", /log/],
  ["an endless answer", endless("x".repeat(1000)), "answer_too_large", /url/],
])("%s is a refusal with a remedy", async (_what, behave, code, message) => {
  const server = await serve(behave);
  const { hand } = await openAt(server.origin);
  const outcome = await hand();
  expect(outcome).toMatchObject({ kind: "refused", code });
  expect(outcome).toHaveProperty("message", expect.stringMatching(message));
  expect(JSON.stringify(outcome)).not.toContain(TOKEN);
  expect(server.requests).toHaveLength(1);
});

test.each([
  ["throttled", 429, { "retry-after": "60" }, 60_000],
  ["throttled", 429, {}, 60_000],
  ["starting", 503, { "retry-after": "5" }, 5000],
  ["starting", 503, {}, undefined],
])("%s by %i waits as long as the gateway asks for", async (code, status, headers, retryAfterMs) => {
  const server = await serve(plain(status, "", headers));
  const { hand } = await openAt(server.origin);
  const outcome = await hand();
  expect(outcome).toMatchObject({ kind: "refused", code });
  expect(outcome.kind === "refused" && outcome.retryAfterMs).toBe(retryAfterMs);
});

test.each<[string, Behaviour]>([
  ["says nothing", stallHeaders],
  ["never ends its answer", stallBody()],
])("a gateway that %s is given up", async (_what, behave) => {
  const clock = createFakeClock();
  const server = await serve(behave);
  const { hand } = await openAt(server.origin, {}, { clock });
  const outcome = hand();
  await server.arrived(1);
  await clock.advance(15_000);
  expect(await outcome).toMatchObject({ kind: "refused", code: "timeout" });
  await server.disconnected();
});

test("an unreachable gateway is a refusal", async () => {
  const { hand } = await openAt(await closedOrigin());
  expect(await hand()).toMatchObject({ kind: "refused", code: "connection_refused" });
});

test("the token is sent to no other origin", async () => {
  const elsewhere = await serve(heard);
  const server = await serve(redirect(`${elsewhere.origin}/hooks/wake`, 307));
  const { hand } = await openAt(server.origin);
  expect(await hand()).toMatchObject({ kind: "refused", code: "redirect" });
  expect(elsewhere.requests).toEqual([]);
});

test("it ends with its signal", async () => {
  const server = await serve(stallHeaders);
  const { hand } = await openAt(server.origin);
  const end = new AbortController();
  const outcome = hand(someNotice, end.signal);
  await server.arrived(1);
  end.abort();
  expect(await outcome).toMatchObject({ kind: "refused", code: "aborted" });
});

test.each([
  ["http://gateway.example/hooks", /must be https/],
  ["gateway", /must be a URL/],
  ["https://user:pass@gateway.example", /user or a password/],
  ["https://gateway.example/#hooks", /fragment/],
])("the address %s is refused", (url, message) => {
  const { success, error } = openclaw.settings.url.safeParse(url);
  expect(success).toBe(false);
  expect(error?.issues[0]?.message).toMatch(message);
});

test("a token in the address is refused", () => {
  expect(openclaw.check?.({ url: "https://gateway.example/?token=x" })).toMatchObject([{ key: "url" }]);
  expect(openclaw.check?.({ url: "https://gateway.example/" })).toEqual([]);
  expect(openclaw.check?.({ url: 5 })).toEqual([]);
});
