// Forwards one request of the page to operator.sock, and streams its answer back.

import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type Refusal, refuse } from "./answer.ts";

const LARGEST_BODY = 2 ** 20;
/** How long the daemon may send nothing: longer than any long poll, and than the silence of a stream. */
const SILENCE_MS = 75_000;
/** How long the browser may read nothing while data waits for it. */
const UNREAD_MS = 30_000;
/** The only headers that are forwarded, in either direction. */
const REQUEST_HEADERS = ["accept", "content-type", "last-event-id"];
const ANSWER_HEADERS = ["content-type", "retry-after", "allow", "nexusd-epoch", "nexusd-version"];

export interface Upstream {
  /** Resolves when the answer is complete, or either side has closed the connection. */
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
      // Detects a stalled connection: the daemon sends a comment into a stream every 15 s.
      const { socket } = request;
      const endUnread = () => {
        if (response.writableNeedDrain) response.destroy();
      };
      socket.setTimeout(unreadMs).on("timeout", endUnread);
      // Destroyed if the answer was cut off: the browser must not take a part for the whole.
      await pipeline(answer, response).catch(() => response.destroy());
      // The connection is reused for the next request.
      socket.off("timeout", endUnread);
    },
  };
}

/** @returns undefined: it is longer than the daemon's limit */
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
