// The MCP server of Nexus, through the official client: connected when first needed, and again if its session was lost.
// The library is loaded only then.

import type { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";
import type { Clock } from "../../../core/clock.ts";
import type { HttpClient, HttpRequest } from "../../../http/client.ts";
import { startDeadline } from "../../../http/deadline.ts";
import { HttpError } from "../../../http/errors.ts";
import { givenUp, notSent } from "../../../http/failure.ts";
import { fieldsOf } from "../../input.ts";
import type { OperationAnswer, OperationRequest } from "../../operation.ts";
import { CALL_HEADER, createMcpFetch, MCP_PATH, type McpCall } from "./fetch.ts";

export interface McpConnection {
  /**
   * One request of an operation; `json` is a JSON-RPC request. The body of the answer is a JSON-RPC response, with
   * `result` or `error`. With `once` it is sent with exactly this body, and at most once; otherwise the id is the
   * connection's own, and it is sent again if only the session had been lost.
   * @throws HttpError
   */
  call(
    request: Pick<OperationRequest, "label" | "json">,
    options: { signal: AbortSignal; once: boolean } & Pick<
      HttpRequest,
      "priority" | "onWaited" | "waitMs" | "mayBegin"
    >,
  ): Promise<OperationAnswer>;
}

interface Session {
  client: Client;
  transport: StreamableHTTPClientTransport;
  /** A JSON-RPC response. @throws HttpError */
  send(call: McpCall): Promise<unknown>;
}

/** Longer than any request may take: if it ended first, the error could not say what it waited for. */
const TIMEOUT_MS = 90_000;
const HANDSHAKE_MS = 30_000;

export function createMcpConnection(options: {
  http: HttpClient;
  clock: Clock;
  version: string;
  /** Of the server, on the origin of `http`; default: Nexus's. */
  path?: string;
  /** Removes credentials from the server's answers. */
  hide?: <T>(value: T) => T;
}): McpConnection {
  const { http, clock, version, path = MCP_PATH, hide = (value) => value } = options;
  let current: Promise<Session> | undefined;
  let calls = 0;

  const open = async (): Promise<Session> => {
    current ??= connect().catch((error: unknown) => {
      current = undefined;
      throw error;
    });
    return current;
  };

  const connect = async (): Promise<Session> => {
    const library = await import("@modelcontextprotocol/client");
    const wire = createMcpFetch(http, clock, path);
    const client = new library.Client({ name: "nexusd", version });
    // Every error arrives here and as the rejection of its request; the rejection is enough.
    client.onerror = () => {};
    const transport = new library.StreamableHTTPClientTransport(new URL(path, http.origin), {
      fetch: wire.fetch,
    });
    try {
      await client.connect(transport, { timeout: HANDSHAKE_MS });
    } catch (error) {
      throw notSent(asHttpError(error, `POST ${path} initialize`));
    }
    const deliver = transport.onmessage;
    transport.onmessage = (message) => {
      const own = "id" in message && !("method" in message) ? wire.idOf.get(String(message.id)) : undefined;
      deliver?.(own === undefined ? message : { ...message, id: own });
    };
    return {
      client,
      transport,
      async send(call) {
        const key = String(++calls);
        wire.calls.set(key, call);
        try {
          // The call's own body is sent; the client needs the method to understand the answer.
          const request = { method: String(call.json.method), params: {} };
          const result = await client.request(request, z.looseObject({}), {
            headers: { [CALL_HEADER]: key },
            timeout: TIMEOUT_MS + Math.max(call.waitMs ?? 0, TIMEOUT_MS),
          });
          const { exact } = call;
          return exact && "result" in exact ? { result: exact.result } : { result };
        } catch (error) {
          if (library.ProtocolError.isInstance(error))
            return { error: { code: error.code, message: error.message, data: error.data } };
          throw asHttpError(error, call.label);
        } finally {
          wire.calls.delete(key);
          wire.forget(call);
          if (call.once) wire.idOf.delete(String(call.json.id));
        }
      },
    };
  };

  return {
    async call({ label, json }, { signal, once, priority, onWaited, waitMs, mayBegin }) {
      const where = { service: "nexus", label };
      let isSent = false;
      const deadline = startDeadline({
        clock,
        // For the session and its turn; when that has come, it has the whole time again.
        timeoutMs: Math.max(HANDSHAKE_MS + (waitMs ?? 0), TIMEOUT_MS),
        signal,
        failure: (kind) => givenUp(kind, where, { phase: "server", sent: isSent }, TIMEOUT_MS),
      });
      const failure = Promise.withResolvers<never>();
      failure.promise.catch(() => {});
      const call: McpCall = {
        ...{ label, once, json: fieldsOf(json), signal: deadline.signal },
        ...(priority && { priority }),
        ...(onWaited && { onWaited }),
        ...(mayBegin && { mayBegin }),
        ...(waitMs !== undefined && { waitMs }),
        onTurn() {
          isSent = true;
          deadline.restart(TIMEOUT_MS);
        },
        fail: failure.reject,
      };
      const attempt = async (): Promise<unknown> => {
        const session = await open();
        const opened = current;
        try {
          return await Promise.race([session.send(call), failure.promise]);
        } catch (error) {
          if (!isSessionLost(error, session)) throw error;
          if (current === opened) current = undefined;
          session.client.close().catch(() => {});
          throw lost(error);
        }
      };
      const again = (error: unknown): Promise<unknown> => {
        if (once || !(error instanceof HttpError && error.code === SESSION_LOST)) throw error;
        return attempt();
      };
      try {
        return { status: 200, headers: {}, body: hide(await deadline.race(attempt().catch(again))) };
      } finally {
        deadline.end();
      }
    },
  };
}

const SESSION_LOST = "mcp_session_lost";

/** A server that does not (or no longer) know the session: 404 by the specification, 400 by some servers. */
const isSessionLost = (error: unknown, { transport }: Session): error is HttpError =>
  error instanceof HttpError &&
  (error.status === 404 || error.status === 400) &&
  transport.sessionId !== undefined;

const lost = (error: HttpError): HttpError =>
  new HttpError({
    kind: "status",
    service: "nexus",
    label: error.label,
    ...(error.status !== undefined && { status: error.status }),
    code: SESSION_LOST,
    message: `nexus: ${error.label} was refused, because the session with the MCP server had ended. The next request starts a new session.`,
    retryable: false,
    maybeSent: true,
    cause: error,
  });

/** The client's message about an answer that it did not understand repeats the answer, so it is not shown. */
const asHttpError = (error: unknown, label: string): HttpError =>
  error instanceof HttpError
    ? error
    : new HttpError({
        kind: "invalid_body",
        service: "nexus",
        label,
        code: "mcp_not_understood",
        message: `nexus: ${label} got an answer that does not follow the agreed MCP version (${error instanceof Error ? error.name : typeof error})`,
        retryable: false,
        maybeSent: true,
      });
