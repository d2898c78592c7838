// Requests of operations to Nexus: by HTTP with the token, or over the connection with its MCP server.

import type { HttpClient } from "../../http/client.ts";
import type { OperationAnswer, OperationRequest, Sending } from "../operation.ts";
import { assertOrigin, sendBy } from "../send.ts";
import { AGENT_TOKEN, MCP_SESSION } from "./facts.ts";
import type { McpConnection } from "./mcp/connection.ts";

/**
 * @param mcp throws an OperationError if the tools are off
 * @throws OperationError if nothing was sent
 * @throws HttpError
 */
export async function sendToNexus(
  http: HttpClient,
  mcp: () => McpConnection,
  request: OperationRequest,
  sending: Sending,
): Promise<OperationAnswer> {
  const { credential } = request;
  assertOrigin(request, http.origin, AGENT_TOKEN.kind);
  if (credential !== MCP_SESSION) return await sendBy(http, request, sending);
  return await mcp().call(request, sending);
}
