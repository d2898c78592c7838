// One request of the page, passed on to operator.sock and its answer back, as it comes.

import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Refusal, refuse } from "./answer.ts";

const LARGEST_BODY = 2 ** 20;
/** Without a byte of the daemon: longer than any long poll, and than the silence of a stream. */
const SILENCE_MS = 75_000;
/** Without the browser taking what waits for it. */
const UNREAD_MS = 30_000;
/** All that the daemon is told of what the browser sent, and the other way round. */
const REQUEST_HEADERS = ["accept", "content-type", "last-event-id"];
const ANSWER_HEADERS = ["content-type", "retry-after", "allow", "nexusd-epoch", "nexusd-version"];

export interface Upstream {
  /** Resolves when the answer is complete, or one of the two has gone. */
  pass(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** @param socketPath of operator.sock */
export function createUpstream(socketPath: string, { unreadMs = UNREAD_MS } = {}): Upstream {
  /** Resolves at the headers; ends with the browser's connection. */
  const send = (request: IncomingMessage, body: Buffer, signal: AbortSignal) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const { method, url: path, headers } = request;
      const outgoing = httpRequest(
        {
          ...{ socketPath, method, path, signal, agent: false },
          headers: {
            host: "nexusd",
            ...pick(headers, REQUEST_HEADERS),
            ...(body.length > 0 && { "content-length": body.length }),
          },
        },
        resolve,
      );
      outgoing.setTimeout(SILENCE_MS, () => outgoing.destroy(new SilenceError()));
      outgoing.on("error", reject);
      outgoing.end(body.length > 0 ? body : undefined);
    });

  return {
    async pass(request, response) {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const body = await readBody(request);
      if (body === undefined) return refuse(response, TOO_LARGE);
      let answer: IncomingMessage;
      try {
        answer = await send(request, body, gone.signal);
      } catch (error) {
        if (!gone.signal.aborted) refuse(response, failureOf(error, socketPath));
        return;
      }
      response.writeHead(answer.statusCode ?? 502, pick(answer.headers, ANSWER_HEADERS));
      response.flushHeaders();
      // Where nothing moves: the daemon sends a comment each 15 s into a stream.
      const { socket } = request;
      const endUnread = () => {
        if (response.writableNeedDrain) response.destroy();
      };
      socket.setTimeout(unreadMs).on("timeout", endUnread);
      // Cut off where the answer was: to the browser a part must not look like the whole.
      await pipeline(answer, response).catch(() => response.destroy());
      // The connection goes on with the next request.
      socket.off("timeout", endUnread);
    },
  };
}

/** @returns undefined: it is longer than what the daemon takes */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > LARGEST_BODY) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LARGEST_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const TOO_LARGE: Refusal = { code: "body_too_large", detail: "A body can have at most 1 MiB." };

class SilenceError extends Error {}

function failureOf(error: unknown, socketPath: string): Refusal {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOENT" || code === "ECONNREFUSED")
    return {
      code: "no_daemon",
      detail: `No daemon at ${socketPath}. The page goes on as soon as it is back.`,
    };
  if (error instanceof SilenceError)
    return { code: "daemon_silent", detail: `The daemon has said nothing for ${SILENCE_MS / 1000} s.` };
  const why = error instanceof Error ? error.message : String(error);
  return { code: "daemon_failed", detail: `The daemon at ${socketPath} did not answer: ${why}.` };
}

function pick(headers: IncomingMessage["headers"], names: readonly string[]): Record<string, string> {
  const found = names.map((name) => [name, headers[name]] as const);
  return Object.fromEntries(found.filter((pair): pair is [string, string] => typeof pair[1] === "string"));
}
