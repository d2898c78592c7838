// The `fetch` under the official MCP client: every request goes through nexusd's own transport, with its token, budget,
// deadline and errors, and the calls of operations are sent with exactly the body that the operation made.

import { Readable } from "node:stream";
import type { FetchLike } from "@modelcontextprotocol/client";
import type { Clock } from "../../../core/clock.ts";
import { parseJson, stringifyJson } from "../../../core/exact-json.ts";
import { excessOf } from "../../../core/json-shape.ts";
import type { HttpClient, HttpStream } from "../../../http/client.ts";
import { startDeadline } from "../../../http/deadline.ts";
import type { HttpError } from "../../../http/errors.ts";
import { exchangeFailure, givenUp } from "../../../http/failure.ts";
import { createResponse, excessive, invalidBody, readBody, tooLarge } from "../../../http/response.ts";
import { roomFor } from "../../../http/room.ts";
import type { Priority } from "../../../http/shares.ts";
import { createEventDecoder } from "../../../http/sse-decode.ts";
import { serviceCode } from "../../../http/status.ts";
import { fieldsOf } from "../../input.ts";

/** Marks a request of the client as one call of `calls`; it is removed again, and never sent. */
export const CALL_HEADER = "nexusd-call";
export const MCP_PATH = "/functions/v1/mcp-server";

const TIMEOUT_MS = 60_000;
/** Results are what a person or an agent reads; a list of 500 tools fits, too. */
const MAX_BYTES = 4 * 1024 * 1024;
/** How long after its last byte a stream may take to be read, until it counts as having no answer. */
const GRACE_MS = 1000;

/** One request of an operation in progress. */
export interface McpCall {
  label: string;
  json: Record<string, unknown>;
  /** Sent unchanged, id included, and never again. */
  once: boolean;
  signal: AbortSignal;
  priority?: Priority;
  /** For its turn; default: as for any request of the client. */
  waitMs?: number;
  onWaited?: (ms: number) => void;
  mayBegin?: () => boolean;
  /** Its turn has come. */
  onTurn(): void;
  /** Receives what the client would only log. */
  fail(error: HttpError): void;
  /** The response as it arrived in an event stream: the client reads it, too, and rounds its integers above 2^53. */
  exact?: Record<string, unknown>;
}

export interface McpFetch {
  fetch: FetchLike;
  /** By the value of CALL_HEADER. */
  calls: Map<string, McpCall>;
  /** The client's own id of a request that was sent with another one. */
  idOf: Map<string, string | number>;
  /** Its caller no longer waits for it. */
  forget(call: McpCall): void;
}

export function createMcpFetch(http: HttpClient, clock: Clock, path: string): McpFetch {
  const calls: McpFetch["calls"] = new Map();
  const idOf: McpFetch["idOf"] = new Map();
  /** By the id that was sent: an answer can also arrive on the stream that continues a broken one. */
  const awaited = new Map<string, McpCall>();

  const post = async (headers: Headers, body: string): Promise<Response> => {
    // Written by the client itself, from one message.
    const message = fieldsOf(parseJson(body));
    // The request that it is about is already cut; Nexus would count this one.
    if (message.method === "notifications/cancelled") return new Response(null, { status: 202 });
    const call = calls.get(headers.get(CALL_HEADER) ?? "");
    headers.delete(CALL_HEADER);
    const json = call ? (call.once ? call.json : { ...call.json, id: message.id }) : message;
    if (call?.once) idOf.set(String(json.id), asId(message.id));
    if (call) awaited.set(String(json.id), call);
    const label = call?.label ?? `POST ${path} ${String(message.method ?? "answer")}`;
    return exchange({ method: "POST", label, headers, body: stringifyJson(json), call, id: json.id });
  };

  const exchange = async (request: {
    method: "GET" | "POST";
    label: string;
    headers: Headers;
    body?: string;
    call?: McpCall | undefined;
    /** The request whose answer is expected; undefined: none. */
    id?: unknown;
  }): Promise<Response> => {
    const { method, label, headers, body, call, id } = request;
    const where = { service: "nexus", label };
    const waitMs = call?.waitMs ?? TIMEOUT_MS;
    const turn = { hasCome: false };
    const deadline = startDeadline({
      clock,
      // The client's own time-out ends first, and says what it waited for.
      timeoutMs: waitMs + GRACE_MS,
      signal: call?.signal,
      failure: (kind) =>
        turn.hasCome
          ? givenUp(kind, where, { phase: "server", sent: true }, TIMEOUT_MS)
          : givenUp(kind, where, { phase: "budget", sent: false }, waitMs),
    });
    const onTurn = () => {
      turn.hasCome = true;
      deadline.restart(TIMEOUT_MS);
      call?.onTurn();
    };
    let isStream = false;
    try {
      const answer = await http.stream({
        ...{ method, label, signal: deadline.signal, path, onTurn },
        headers: Object.fromEntries(headers),
        ...(body !== undefined && { body }),
        ...(call?.once && { once: true }),
        ...(call?.priority && { priority: call.priority }),
        ...(call?.onWaited && { onWaited: call.onWaited }),
        ...(call?.mayBegin && { mayBegin: call.mayBegin }),
        ...(call?.waitMs !== undefined && { waitMs: call.waitMs }),
        // Setting up the shared session must not wait for any caller's share.
        ...(!call && method === "POST" && { priority: "renewals" as const }),
      });
      isStream = /^text\/event-stream\b/i.test(answer.headers["content-type"] ?? "");
      if (isStream) return eventStream(answer, () => deadline.end(), call);
      return await whole(answer, id, where);
    } finally {
      if (!isStream) deadline.end();
    }
  };

  const eventStream = (answer: HttpStream, end: () => void, call: McpCall | undefined): Response => {
    let canResume = false;
    const decoder = createEventDecoder(MAX_BYTES);
    const events = async function* () {
      let length = 0;
      try {
        for await (const chunk of answer.body) {
          // undici's bodies are byte streams without an encoding.
          const bytes = chunk as Buffer;
          length += bytes.length;
          if (length > MAX_BYTES) throw tooLarge(MAX_BYTES, answer.status, answer);
          canResume ||= bytes.includes("id:");
          for (const { data } of decoder.decode(bytes) ?? []) {
            // The client would parse it before anything else could look at it.
            const excess = excessOf(data);
            if (excess !== undefined) throw excessive(excess, answer.status, answer);
            keepExact(data);
          }
          await roomFor(answer.place, length, answer.body);
          yield bytes;
        }
        if (call && !canResume) void giveUpLater(call, answer);
      } catch (error) {
        const failure = exchangeFailure(error, answer, true);
        if (!canResume) call?.fail(failure);
        throw failure;
      } finally {
        end();
        answer.body.destroy();
      }
    };
    const body = Readable.toWeb(Readable.from(events(), { objectMode: false }));
    // Node.js and the DOM each declare the same stream; the two types do not match.
    return new Response(body as ReadableStream, { status: 200, headers: answer.headers });
  };

  const keepExact = (data: string) => {
    for (const message of messagesIn(data)) {
      const call = "result" in message || "error" in message ? awaited.get(String(message.id)) : undefined;
      if (call) call.exact = message;
    }
  };

  const giveUpLater = async (call: McpCall, answer: HttpStream) => {
    await clock.sleep(GRACE_MS, call.signal).catch(() => {});
    call.fail(invalidBody("a stream that ended without the answer", "no_answer", answer, answer));
  };

  return {
    calls,
    idOf,
    forget(call) {
      for (const [id, one] of awaited) if (one === call) awaited.delete(id);
    },
    fetch: async (_input, init = {}) => {
      const headers = new Headers(init.headers);
      const method = init.method ?? "GET";
      if (method === "POST" && typeof init.body === "string") return post(headers, init.body);
      // Only to continue where an answer broke off. A GET for the server's own messages would be held for minutes, and
      // counted each time it is opened again; with 405 a server says that it has none.
      if (method === "GET" && headers.has("last-event-id"))
        return exchange({ method: "GET", label: `GET ${path}`, headers });
      return new Response(null, { status: 405 });
    },
  };
}

/** Invalid JSON is reported by the client. */
function messagesIn(data: string): Record<string, unknown>[] {
  try {
    return [parseJson(data)].flat().map(fieldsOf);
  } catch {
    return [];
  }
}

/**
 * The complete answer, if it is one to the request: otherwise the client would wait forever, or fail without a reason.
 */
async function whole(
  answer: HttpStream,
  id: unknown,
  where: HttpStream | { service: string; label: string },
) {
  const { status, headers } = answer;
  const body = await readBody(answer.body, MAX_BYTES, answer.place).catch((error: unknown) => {
    throw exchangeFailure(error, where, true);
  });
  if (body === undefined) throw tooLarge(MAX_BYTES, status, where);
  if (id === undefined) return new Response(null, { status: 202, headers: sessionOf(headers) });
  if (body.length === 0) throw invalidBody("without a body", "no_answer", answer, where);
  // By its content: gateways label JSON as anything.
  const json = createResponse({ status, headers, body }, where).json();
  const messages = [json].flat().map(fieldsOf);
  if (messages.some(({ jsonrpc }) => jsonrpc !== "2.0"))
    throw invalidBody("without JSON-RPC", serviceCode(status, headers, json), answer, where);
  // An error of the message itself has the id null.
  const own = messages.find((message) => String(message.id) === String(id) || message.id === null);
  if (!own || !("result" in own || "error" in own))
    throw invalidBody("with something other than requested", "no_answer", answer, where);
  const response = new Response("", {
    status: 200,
    headers: { ...sessionOf(headers), "content-type": JSON_TYPE },
  });
  return Object.assign(response, {
    json: async () => messages.map((one) => (one === own ? { ...one, id } : one)),
  });
}

const JSON_TYPE = "application/json";

const sessionOf = (headers: Record<string, string>): Record<string, string> => {
  const session = headers["mcp-session-id"];
  return session === undefined ? {} : { "mcp-session-id": session };
};

const asId = (id: unknown): string | number => (typeof id === "number" ? id : String(id));
