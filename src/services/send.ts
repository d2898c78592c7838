// What the services share for sending the request of an operation.

import type { HttpClient, HttpRequest, HttpResponse } from "../http/client.ts";
import { type OperationAnswer, OperationError, type OperationRequest, type Sending } from "./operation.ts";

/** @param headers those of the credential, if the client does not add them itself */
export async function sendBy(
  http: HttpClient,
  request: OperationRequest,
  sending: Sending,
  headers: Record<string, string> = {},
): Promise<OperationAnswer> {
  const { method, path, label, json } = request;
  return toAnswer(
    await http.request({
      ...{ method, path, label },
      headers: { ...request.headers, ...headers },
      ...(json === undefined ? {} : { json }),
      ...sending,
    } satisfies HttpRequest),
  );
}

/** @throws OperationError if the request is not for this server, which must not get its credential */
export function assertOrigin(
  { origin, credential, label }: OperationRequest,
  own: string,
  kind: string,
): void {
  if (new URL(own).origin !== origin || credential.kind !== kind) throw strayed(label);
}

export const strayed = (label: string) =>
  new OperationError("refused", `${label} was not sent: it belongs to another server.`);

const toAnswer = (response: HttpResponse): OperationAnswer => ({
  status: response.status,
  headers: response.headers,
  body: response.body.length === 0 ? undefined : response.json(),
});
