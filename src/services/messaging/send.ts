// Requests of operations to NexusMessaging: to a server that nexusd knows, with the session's key if needed.

import type { HttpClient } from "../../http/client.ts";
import { type OperationAnswer, OperationError, type OperationRequest, type Sending } from "../operation.ts";
import { sendBy, strayed } from "../send.ts";
import type { MessagingClient } from "./client.ts";
import { isOfSession } from "./facts.ts";

export interface Sender {
  client: MessagingClient;
  /** The origins of the known servers. */
  servers: readonly string[];
  /** The key of a session that nexusd is in; undefined if its server gave none. */
  readKey: (sessionId: string) => Promise<string | undefined>;
}

/**
 * @throws OperationError if nothing was sent
 * @throws HttpError
 */
export async function sendToServer(
  sender: Sender,
  request: OperationRequest,
  sending: Sending,
): Promise<OperationAnswer> {
  const http = clientFor(sender, request);
  const { credential, method, label } = request;
  if (!isOfSession(credential)) return await sendBy(http, request, sending);
  const { sessionId } = credential;
  const key = await keyOf(sender, sessionId, label);
  const answer = await sendBy(http, request, sending, key === undefined ? {} : { "x-session-key": key });
  if (sending.once && method === "POST") sender.client.sessions.sent(sessionId);
  return answer;
}

/** @throws OperationError `refused` if the request is not for a server that nexusd talks to */
function clientFor({ client, servers }: Sender, { origin, credential, label }: OperationRequest): HttpClient {
  if (!isOfSession(credential)) {
    if (credential.kind === "none" && servers.includes(origin)) return client.http(origin);
    throw strayed(label);
  }
  const session = client.sessions.get(credential.sessionId);
  if (session && new URL(session.baseUrl).origin === origin) return client.http(session.baseUrl);
  throw strayed(label);
}

async function keyOf({ readKey }: Sender, sessionId: string, label: string): Promise<string | undefined> {
  try {
    return await readKey(sessionId);
  } catch (cause) {
    const message = `${label} was not sent: its key cannot be read at the moment.`;
    throw Object.assign(new OperationError("service_unavailable", message), { cause });
  }
}
