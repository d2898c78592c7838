// Sends the requests of operations: each to the one server that it belongs to, with that server's credential.

import type { Clock } from "../core/clock.ts";
import type { HttpClient, HttpRequest, HttpResponse, Retry } from "../http/client.ts";
import type { McpConnection } from "./nexus/mcp/connection.ts";
import {
  type OperationAnswer,
  OperationError,
  type OperationRequest,
  type OperationSender,
} from "./operation.ts";
import type { Services } from "./services.ts";

export interface SenderOptions {
  /** Asked at each request, so that a reload takes effect. */
  clients: () => Services;
  /** The origins of the messaging servers that there are. */
  messagingServers: () => string[];
  /** The key of a session that nexusd is in; undefined where its server gave none. */
  sessionKey: (sessionId: string) => Promise<string | undefined>;
  retry: Retry;
  clock: Pick<Clock, "monotonic">;
}

/** An OperationError of its functions means that nothing was sent. */
export function createSender(options: SenderOptions): OperationSender {
  const { clients, messagingServers, sessionKey, retry, clock } = options;
  const recent = new Map<string, { at: number; answer: OperationAnswer }>();

  /** @throws OperationError `refused` where the request is not one for the server that its credential belongs to */
  const clientFor = ({ origin, credential, label }: OperationRequest): HttpClient => {
    const { messaging, nex, nexus } = clients();
    switch (credential.kind) {
      case "nex":
        if (origin === nex.http.origin) return nex.http;
        break;
      case "nexus":
      case "nexus_mcp":
        if (origin === nexus.http.origin) return nexus.http;
        break;
      case "session": {
        const session = messaging.sessions.get(credential.sessionId);
        if (session && isOriginOf(session.baseUrl, origin)) return messaging.http(session.baseUrl);
        break;
      }
      case "none": {
        if (messagingServers().includes(origin)) return messaging.http(origin);
        break;
      }
      default:
        return credential satisfies never;
    }
    throw new OperationError(
      "refused",
      `${label} was not sent: it goes to a server that it does not belong to.`,
    );
  };

  /** The connection with the MCP server; undefined: the request is not one for it. */
  const mcpFor = (request: OperationRequest): McpConnection | undefined => {
    if (request.credential.kind !== "nexus_mcp") return undefined;
    clientFor(request);
    const { nexusMcp } = clients();
    if (nexusMcp) return nexusMcp;
    throw new OperationError("service_disabled", "The tools of Nexus are off: set nexus.mcp = true");
  };

  const prepare = async (request: OperationRequest): Promise<HttpRequest> => {
    const { method, path, label, headers, json, credential } = request;
    const key = credential.kind === "session" ? await keyOf(credential.sessionId, label) : undefined;
    return {
      ...{ method, path, label },
      headers: { ...headers, ...(key === undefined ? {} : { "x-session-key": key }) },
      ...(json === undefined ? {} : { json }),
    };
  };

  const keyOf = async (sessionId: string, label: string): Promise<string | undefined> => {
    try {
      return await sessionKey(sessionId);
    } catch (cause) {
      const error = new OperationError(
        "service_unavailable",
        `${label} was not sent: its key cannot be read now.`,
      );
      throw Object.assign(error, { cause });
    }
  };

  return {
    async read(request, signal, { priority = "agent_reads", onWaited } = {}) {
      const mcp = mcpFor(request);
      const sentFor = { priority, ...(onWaited && { onWaited }) };
      if (mcp) return await retry(() => mcp.call(request, { signal, once: false, ...sentFor }), { signal });
      const http = clientFor(request);
      const prepared = await prepare(request);
      const key = request.origin + request.path;
      const known = request.maxAgeMs === undefined ? undefined : recent.get(key);
      if (known && clock.monotonic() - known.at < (request.maxAgeMs ?? 0)) return known.answer;
      const answer = toAnswer(
        await retry(() => http.request({ ...prepared, ...sentFor, signal }), { signal }),
      );
      if (request.maxAgeMs !== undefined) recent.set(key, { at: clock.monotonic(), answer });
      return answer;
    },
    async writeOnce(request, signal, { priority = "agent_writes" } = {}) {
      const mcp = mcpFor(request);
      if (mcp) return await mcp.call(request, { signal, once: true, priority, ...patience(priority) });
      const http = clientFor(request);
      const prepared = await prepare(request);
      return toAnswer(
        await http.request({ ...prepared, signal, once: true, priority, ...patience(priority) }),
      );
    },
  };
}

/** Agents' writes keep their turn until it comes, which can take a window and more. */
const AGENTS_WAIT_MS = 100_000;
const patience = (priority: string) => (priority === "agent_writes" ? { waitMs: AGENTS_WAIT_MS } : {});

const isOriginOf = (baseUrl: string, origin: string) => new URL(baseUrl).origin === origin;

const toAnswer = (response: HttpResponse): OperationAnswer => ({
  status: response.status,
  headers: response.headers,
  body: response.body.length === 0 ? undefined : response.json(),
});
