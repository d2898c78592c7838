// What following reports beside the events, and how it handles a daemon that answers incorrectly.

import { afterEach, beforeEach, expect, it } from "vitest";
import { answerOf, createClient, type LogNotice, NexusdError } from "../../src/client/index.ts";
import { createFakeDaemon, type FakeDaemon } from "../support/cli.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = createFakeDaemon();
  await daemon.start();
});
afterEach(() => daemon.remove());

const client = () => createClient({ agentSocket: daemon.socket, operatorSocket: daemon.socket });
const append = (count: number) => {
  for (let n = 0; n < count; n++) daemon.append("shop.report.made", { items: daemon.log.length + 1 });
};
interface Own {
  "shop.report.made": { items: number };
}
/** Takes this many of the items, as their kind and position. */
async function take(count: number, options: Parameters<ReturnType<typeof client>["events"]>[0] = {}) {
  const taken: (string | LogNotice)[] = [];
  const nexusd = createClient<Own>({ agentSocket: daemon.socket });
  for await (const event of nexusd.events(options)) {
    // A user's own type has its data as declared.
    taken.push(
      event.type === "nexusd.shop.report.made"
        ? `${event.sequence}: ${event.data.items}`
        : (event as LogNotice),
    );
    if (taken.length === count) break;
  }
  return taken;
}

it("events removed by retention are reported as a gap before the events after it", async () => {
  append(4);
  daemon.pruned = 2;
  expect(await take(3)).toEqual([{ type: "nexusd.log.gap", data: { from: 1, to: 2 } }, "3: 3", "4: 4"]);
});

it("a replaced database is reported, and followed from its start", async () => {
  append(3);
  const following = take(6);
  await expect.poll(() => daemon.requests.length).toBe(1);
  await daemon.stop();
  daemon.epoch = "epoch-b";
  daemon.log = [];
  append(2);
  await daemon.start();
  expect(await following).toEqual([
    ...["1: 1", "2: 2", "3: 3"],
    { type: "nexusd.log.replaced", data: { epoch: "epoch-b", previous: "epoch-a" } },
    ...["1: 1", "2: 2"],
  ]);
});

it("a position of an earlier epoch is not used in the present log", async () => {
  append(3);
  expect(await take(2, { after: 2, epoch: "before" })).toEqual([
    { type: "nexusd.log.replaced", data: { epoch: "epoch-a", previous: "before" } },
    "1: 1",
  ]);
});

it("leaving an iterator closes its stream", async () => {
  append(1);
  let closed = false;
  daemon.override = (request) => {
    request.socket.on("close", () => {
      closed = true;
    });
    return false;
  };
  await take(1);
  await expect.poll(() => closed).toBe(true);
});

it("a signal ends it, even while the daemon is away", async () => {
  append(1);
  const stop = new AbortController();
  const away: unknown[] = [];
  const following = (async () => {
    const seen: string[] = [];
    for await (const event of client().events({ signal: stop.signal, onAway: (error) => away.push(error) }))
      seen.push(event.type);
    return seen;
  })();
  await expect.poll(() => daemon.requests.length).toBe(1);
  await daemon.stop();
  await expect.poll(() => away.length).toBe(1);
  expect(away[0]).toMatchObject({ code: "no_daemon" });
  stop.abort();
  expect(await following).toEqual(["nexusd.shop.report.made"]);
});

it("an unknown problem keeps its own code, and an answer that is not a problem is reported as such", async () => {
  const answer = (status: number, body: string) => {
    daemon.override = (_request, response) => {
      response.writeHead(status, { "content-type": "application/problem+json", "retry-after": "7" });
      response.end(body);
      return true;
    };
  };
  const failure = () =>
    client()
      .health()
      .catch((error: unknown) => error);
  answer(418, '{"code":"teapot","title":"I am one","detail":"No coffee.","status":418}');
  const unknown = await failure();
  expect(unknown).toBeInstanceOf(NexusdError);
  expect(unknown).toMatchObject({
    ...{ code: "unknown_problem", status: 418, message: "No coffee.", retryAfterMs: 7000 },
    problem: { code: "teapot" },
  });
  answer(404, "<html>");
  expect(await failure()).toMatchObject({ code: "bad_answer" });
  answer(200, "not JSON");
  expect(await failure()).toMatchObject({ code: "bad_answer" });
});

it("integers above 2^53 are exact, and the raw text of an answer is available", async () => {
  daemon.append("x", {});
  daemon.log[0] = (daemon.log[0] ?? "").replace('"data":{}', '"data":{"id":48066188026052610,"n":1.0}');
  const page = await client().readEvents();
  expect(page.events[0]?.data).toEqual({ id: 48066188026052610n, n: 1 });
  expect(answerOf(page).text).toContain('"n":1.0');
  expect(answerOf(page).epoch).toBe("epoch-a");
});
