// GET /v1/events/stream: the log as server-sent events, each reader at its own pace.

import { Readable } from "node:stream";
import { z } from "zod";
import { epochQuery, sequence, typeQuery } from "../contract/api/fields.ts";
import type { StoredEvent } from "../contract/new-event.ts";
import { checkEpoch, checkPosition } from "../contract/position.ts";
import type { EventQuery } from "../contract/store.ts";
import type { Tail } from "../store/tail.ts";
import type { App } from "./app.ts";
import type { ControlContext } from "./context.ts";
import type { HandedOut } from "./handed-out.ts";
import { Problem, problems } from "./problem.ts";
import { asText, goneSignal } from "./route.ts";
import type { RouteOptions } from "./routes.ts";
import { checkTypes } from "./types.ts";

const COMMENT_EVERY_MS = 15_000;
/** Events read from the log at once: with the socket's buffers, all the memory that a stalled reader costs. */
const PAGE = 64;
const PAGE_LENGTH = 2 ** 18;

const query = z.strictObject({
  after: sequence
    .default(0)
    .describe("The last sequence already known, default 0; `Last-Event-ID` takes precedence"),
  type: typeQuery,
  epoch: epochQuery,
});

export function stream(app: App, { context, tail, gate, handedOut }: RouteOptions): void {
  const { store } = context;
  app.get(
    "/v1/events/stream",
    {
      // A HEAD of an endless answer would never end.
      exposeHeadRoute: false,
      schema: {
        operationId: "streamEvents",
        summary: "The events after a position and all that follow, as server-sent events",
        description:
          "`id` is the sequence, `event` the type, `data` the event on one line; a comment comes every 15 s. " +
          'Where retention removed events, `event: nexusd.log.gap` without an id has `data: {"from":…,"to":…}`.',
        tags: ["events"],
        querystring: query,
        response: {
          200: {
            description: "The stream",
            content: { "text/event-stream": { schema: asText(z.string()) } },
          },
          ...problems("invalid_request", "cursor_ahead", "epoch_changed", "too_many_streams"),
        },
      },
    },
    async (request, reply) => {
      gate.stream.take(reply.raw);
      const { type, epoch } = request.query;
      // EventSource reuses its original URL: after a reconnect only the header is up to date.
      const after = lastEventId(request.headers["last-event-id"]) ?? request.query.after;
      checkEpoch(store, epoch);
      await checkTypes(context, type, "type");
      await checkPosition(store, after);
      const signal = goneSignal(reply.raw);
      const wanted = { after, limit: PAGE, maxLength: PAGE_LENGTH, ...(type && { types: type }) };
      const turn = () => gate.turn(reply.raw);
      const sources = { ...context, tail, turn, handedOut };
      const frames = Readable.from(logFrames(sources, wanted, signal), { objectMode: false });
      reply.type("text/event-stream; charset=utf-8").header("cache-control", "no-store");
      return reply.send(frames as unknown as string); // fastify takes a stream; the type describes its content
    },
  );
}

/** @throws Problem `invalid_request` */
function lastEventId(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === "") return undefined;
  const parsed = sequence.safeParse(header);
  if (parsed.success) return parsed.data;
  const errors = [{ path: "Last-Event-ID", message: "must be a sequence of the log" }];
  throw new Problem("invalid_request", "Last-Event-ID must be a sequence of the log", { errors });
}

interface Sources extends Pick<ControlContext, "store" | "clock" | "log"> {
  tail: Tail;
  turn: () => Promise<void>;
  handedOut: HandedOut;
}

/**
 * Reads on only when the reader has taken what came before: the next page is not fetched while the last one still
 * waits in the socket.
 */
async function* logFrames(
  { store, clock, log, tail, turn, handedOut }: Sources,
  query: EventQuery,
  signal: AbortSignal,
): AsyncGenerator<string> {
  // Sent with the headers, so the reader knows at once that it is connected.
  yield ": nexusd\n\n";
  let after = query.after;
  let nextComment = clock.monotonic() + COMMENT_EVERY_MS;
  try {
    await turn();
    while (!signal.aborted) {
      const page = await store.readEvents({ ...query, after });
      if (page.gap) yield `event: nexusd.log.gap\ndata: ${JSON.stringify(page.gap)}\n\n`;
      if (page.events.length > 0) {
        handedOut.toReader(page.next);
        yield page.events.map(frame).join("");
      }
      after = page.next;
      const now = clock.monotonic();
      if (now >= nextComment) {
        nextComment = now + COMMENT_EVERY_MS;
        yield ": nexusd\n\n";
      }
      if (after < page.latest) await turn();
      else if ((await tail.wait(page.latest, nextComment - now, signal)) === "closed") return;
    }
  } catch (error) {
    // The reader reconnects at its position; a stream has no other way to report a failure.
    if (!signal.aborted) log.warn({ err: error }, "an event stream ended because the log could not be read");
  }
}

/** The stored text has no line breaks, so it is one `data` line. */
const frame = ({ sequence, type, json }: StoredEvent): string =>
  `id: ${sequence}\nevent: ${type}\ndata: ${json}\n\n`;
