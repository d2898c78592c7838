// Each consumer as a resource: what it has pending, in our own words. Those with a subscriber are watched.

import { ProtocolError, ProtocolErrorCode, ResourceNotFoundError } from "@modelcontextprotocol/server";
import type { Client } from "../client/client.ts";
import { NexusdError } from "../client/error.ts";
import { CONSUMER_NAME } from "../contract/consumer-name.ts";
import { noticeOf, noticeText } from "../contract/notice.ts";

const ROOT = "nexusd://consumers/";
const JSON_TYPE = "application/json";
const PAGE = 200;

export const uriOf = (consumer: string): string => `${ROOT}${consumer}`;

/** The consumer of a resource; undefined: the URI is not ours. */
export function consumerOf(uri: string): string | undefined {
  const name = uri.startsWith(ROOT) ? uri.slice(ROOT.length) : "";
  return CONSUMER_NAME.test(name) ? name : undefined;
}

export const TEMPLATES = [
  {
    name: "consumer",
    title: "A consumer",
    uriTemplate: `${ROOT}{name}`,
    description: "What a consumer has not acknowledged: how many events, which sequences, which types",
    mimeType: JSON_TYPE,
  },
];

export async function listResources(client: Client, cursor: string | undefined, signal: AbortSignal) {
  const page = await asked(
    client.consumers.list({ limit: PAGE, signal, ...(cursor !== undefined && { after: cursor }) }),
  );
  return {
    resources: page.consumers.map(({ name }) => ({
      ...{ uri: uriOf(name), name, title: `Consumer ${name}`, mimeType: JSON_TYPE },
      description: "What it has pending. Read the events with the tool events_read.",
    })),
    ...(page.next !== null && { nextCursor: page.next }),
  };
}

export async function readResource(client: Client, uri: string, signal: AbortSignal) {
  const name = consumerOf(uri);
  const found = name === undefined ? undefined : await asked(client.consumers.get(name, { signal }));
  if (found === undefined) throw new ResourceNotFoundError(uri);
  const notice = noticeOf(found.name, found.pending);
  const { consumer, ...rest } = notice;
  const text = JSON.stringify({
    ...{ consumer, position: found.position, ...rest, summary: noticeText(notice) },
  });
  return { contents: [{ uri, mimeType: JSON_TYPE, text }] };
}

/** Converts a refusal of the daemon to an error of the protocol. */
async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof NexusdError)) throw error;
    throw new ProtocolError(ProtocolErrorCode.InternalError, error.message, { code: error.code });
  }
}
