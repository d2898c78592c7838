// One request to the receiver. Only its status matters: the body is read only so that the connection can be reused.

import type { Readable } from "node:stream";
import type { Clock } from "../../core/clock.ts";
import type { HttpClient } from "../../http/client.ts";
import type { Message } from "./message.ts";

const MOST_ANSWER_BYTES = 64 * 1024;
const MOST_ANSWER_MS = 1000;

export interface SendOptions {
  client: HttpClient;
  clock: Clock;
  path: string;
  /** Of the signature. */
  headers: Record<string, string>;
  signal: AbortSignal;
}

/** Resolves where it was answered 2xx. @throws HttpError */
export async function send(message: Message, options: SendOptions): Promise<void> {
  const { client, clock, path, headers, signal } = options;
  const { body } = await client.stream({
    ...{ method: "POST", path, label: "POST of a webhook", signal, body: message.body },
    headers: { ...headers, "content-type": message.contentType, accept: "*/*" },
  });
  await discarded(body, clock);
}

/** Resolves at the end of the body, however it ends. */
function discarded(body: Readable, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let bytes = 0;
  const cancel = clock.after(MOST_ANSWER_MS, () => body.destroy());
  body.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) body.destroy();
  });
  body.once("close", () => {
    cancel();
    resolve();
  });
  return promise;
}
