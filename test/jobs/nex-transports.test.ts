// What a proxy between nexusd and Nex can do to the insight stream, over real HTTP: whatever is live can be read, and
// unreadable data counts for nothing.

import type { ServerResponse } from "node:http";
import { brotliCompressSync, createGzip, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import nexInsights from "../../jobs/nex-insights.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { serve } from "../support/http-server.ts";
import { type JobHarness, runJob } from "./harness.ts";

const MINUTE = 60_000;
const EVENT_STREAM = { "content-type": "text/event-stream" };
const insight = (content: string, at: number) => ({
  type: "risk",
  content,
  created_at: new Date(at).toISOString(),
});
const frame = (event: string, ...insights: unknown[]) =>
  `event: ${event}\ndata: ${JSON.stringify({ workspace: "w", insights })}\n\n`;

/** Nex with a stream scripted by `stream`, and a list with all of `made`. */
async function watch(stream: (response: ServerResponse, connection: number) => void) {
  const clock = createFakeClock(Date.now());
  const made: { created_at: string }[] = [];
  const lists: URLSearchParams[] = [];
  let streams = 0;
  const server = await serve((response, request) => {
    response.setHeader("date", new Date(clock.now()).toUTCString());
    if (request.url.endsWith("/stream")) return stream(response, streams++);
    const query = new URL(request.url, "http://nex.invalid").searchParams;
    lists.push(query);
    const [from = "", to = ""] = [query.get("from"), query.get("to")].map((time) => time ?? "");
    const insights = made.filter(({ created_at: at }) => at >= from && at <= to);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ insights }));
  });
  const job = await runJob(
    nexInsights,
    `[nex]\nbase_url = "${server.origin}"\napi_key = { source = "env", id = "X" }\n[nexus]\nenabled = false\n`,
    { clock },
  );
  const { status } = job.services.nex;
  return {
    ...{ clock, job, status, lists, streams: () => streams },
    make(content: string) {
      made.push(insight(content, clock.now()));
    },
    coveredUntil: () => Date.parse(status.coveredUntil ?? "1970-01-01"),
  };
}

const contents = async (job: JobHarness) =>
  (await job.events("nex.insight.received")).map(({ data }) => data.insight.content);

describe("an insight stream", () => {
  it("compressed by a proxy is read as it arrives", async () => {
    let send = (_: string) => {};
    const { job, status, clock } = await watch((response) => {
      response.writeHead(200, { ...EVENT_STREAM, "content-encoding": "gzip" });
      const gzip = createGzip();
      gzip.pipe(response);
      send = (text) => {
        gzip.write(text);
        gzip.flush();
      };
      send(": connected\n\n");
    });
    await job.advanceUntil(() => status.state === "live", "live", { stepMs: 100 });
    send(frame("insight.batch.created", insight("through gzip", clock.now())));
    await job.advanceUntil(async () => (await contents(job)).length === 1, "the insight", { stepMs: 100 });
    expect((await job.events("nex.insight.received")).map(({ data }) => data.origin)).toEqual(["live"]);
  });

  const once = (text: string) => Buffer.from(text);
  const connected = ": connected\n\n";
  it.each<[string, string, Record<string, string>, Buffer]>([
    ["in an unknown encoding", "unknown_encoding", { "content-encoding": "snappy" }, once(connected)],
    ["in three encodings", "unknown_encoding", { "content-encoding": "gzip, br, gzip" }, once(connected)],
    [
      "that is not the encoding that it says",
      "undecodable_body",
      { "content-encoding": "br" },
      once(connected),
    ],
    [
      "whose compressed bytes come to nothing",
      "undecodable_body",
      { "content-encoding": "gzip" },
      gzipSync("x").subarray(0, 10),
    ],
    ["compressed without saying so", "stream_silent", {}, brotliCompressSync(connected.repeat(50))],
    ["of noise", "stream_silent", {}, Buffer.from([0xff, 0xfe, 0x00, 0x9c, 0x3a, 0x80, 0x0a, 0xc1, 0x0a])],
    [
      "in UTF-16",
      "stream_silent",
      { "content-type": "text/event-stream; charset=utf-16le" },
      Buffer.from(connected, "utf16le"),
    ],
    ["of a page that says it is one", "stream_silent", {}, once("<html>\n<form>log in</form>\n</html>\n\n")],
    ["of the wrong type", "no_event_stream", { "content-type": "text/plain" }, once(connected)],
  ])("%s is never live and covers nothing; REST fetches the rest", async (_, code, headers, piece) => {
    const open = new Set<ServerResponse>();
    const { job, status, clock, make, coveredUntil, lists } = await watch((response) => {
      response.writeHead(200, { ...EVENT_STREAM, ...headers }).write(piece);
      open.add(response);
    });
    const startedAt = clock.now();
    let wasLive = false;
    const look = () => {
      wasLive ||= status.state === "live";
      return wasLive;
    };
    make("missed");
    await job.advanceUntil(
      async () => {
        // The bytes continue, whatever they are.
        for (const response of open) if (!response.destroyed) response.write(piece);
        if (lists.length === 0) expect(coveredUntil()).toBeLessThanOrEqual(startedAt + 1000);
        return look() || (await contents(job)).length === 1;
      },
      "the insight by REST",
      { stepMs: 5000, limitMs: 10 * MINUTE },
    );
    expect([wasLive, await contents(job)]).toEqual([false, ["missed"]]);
    expect(job.job().state).toBe("degraded");
    expect(await job.events("nex.stream.opened")).toEqual([]);
    expect(await job.events("nex.stream.lost")).toMatchObject([{ data: { code } }]);
  });

  it("of comments alone is live, but its time is covered only by REST", async () => {
    const { job, status, clock, make, coveredUntil, lists } = await watch((response) => {
      response.writeHead(200, EVENT_STREAM).write(": connected\n\n");
      const beat = setInterval(() => response.write(": keepalive\n\n"), 5);
      response.on("close", () => clearInterval(beat));
    });
    await job.advanceUntil(() => status.state === "live", "live", { stepMs: 100 });
    make("only in the list");
    const at = clock.now();
    await job.advance(5 * MINUTE, 5000);
    expect([lists.length, coveredUntil() <= at]).toEqual([0, true]);
    await job.advanceUntil(async () => (await contents(job)).length === 1, "the insight by REST", {
      stepMs: 5000,
    });
    expect(clock.now() - at).toBeLessThanOrEqual(11 * MINUTE);
    expect(coveredUntil()).toBeGreaterThan(at + MINUTE);
    expect([status.state, job.job().state]).toEqual(["live", "ok"]);
  });

  it("with unreadable insights reports that, and REST fetches them", async () => {
    let send = (_: string) => {};
    const { job, status, clock, make } = await watch((response) => {
      response.writeHead(200, EVENT_STREAM).write(": connected\n\n");
      send = (text) => response.write(text);
    });
    await job.advanceUntil(() => status.state === "live", "live", { stepMs: 100 });
    make("told in a new shape");
    send('event: insight.batch.created\ndata: {"v": 2}\n\n');
    await job.advanceUntil(async () => (await contents(job)).length === 1, "the insight by REST", {
      stepMs: 1000,
    });
    expect(job.job()).toMatchObject({ state: "degraded", lastError: { code: "insight_unreadable" } });
    send(frame("insight.batch.created", insight("in the old one", clock.now())));
    await job.advanceUntil(() => job.job().state === "ok", "ok again", { stepMs: 1000 });
  });

  const again = insight("again", 0);
  it.each<[string, (response: ServerResponse) => unknown, string[]]>([
    ["after one replay", (response) => response.end(frame("insight.replay", again)), ["again"]],
    ["after one event", (response) => response.end(frame("insight.batch.created", again)), ["again"]],
    ["after a comment", (response) => response.end(connected), []],
    ["in half an event", (response) => response.end(frame("insight.batch.created", again).slice(0, 60)), []],
    [
      "broken off after one event",
      (response) => response.write(frame("insight.replay", again), () => response.destroy()),
      ["again"],
    ],
    ["before it says anything", (response) => response.end(), []],
    ["after an event of an unknown kind", (response) => response.end("event: hello\ndata: {}\n\n"), []],
    ["after asking for haste", (response) => response.end("retry: 1\n\n"), []],
    ["after many events", (response) => response.end(frame("insight.replay", again).repeat(200)), ["again"]],
  ])(
    "that ends %s each time is requested less and less often, and Nex counts as unhealthy",
    async (_, end, brought) => {
      const { job, clock, streams, make } = await watch((response) => {
        response.writeHead(200, EVENT_STREAM);
        end(response);
      });
      await job.advanceUntil(() => streams() === 3, "three connections", { stepMs: 250 });
      const from = clock.now();
      let wasOk = false;
      make("meanwhile");
      await job.advanceUntil(
        () => {
          wasOk ||= job.job().state === "ok";
          return clock.now() - from >= 10 * MINUTE;
        },
        "ten minutes",
        { stepMs: 1000 },
      );
      // At 30 to 60 s in the end: the old pace would have made 800.
      expect(streams()).toBeLessThanOrEqual(30);
      expect(wasOk).toBe(false);
      expect(await contents(job)).toEqual([...brought, "meanwhile"]);
      const told = [...(await job.events("nex.stream.opened")), ...(await job.events("nex.stream.lost"))];
      expect(told.length).toBeLessThanOrEqual(2);
    },
  );
});
