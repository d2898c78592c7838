// Bodies: read up to a limit, and given out as bytes, text or JSON.

import type { Readable } from "node:stream";
import type { HttpResponse } from "./client.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";
import { parseJson } from "./json.ts";

/** The whole body; undefined where it is larger, and then neither read to its end nor its connection used again. */
export async function readBody(body: Readable, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    // undici's bodies are byte streams without an encoding.
    const bytes = chunk as Buffer;
    length += bytes.length;
    // Leaving the loop destroys the body.
    if (length > maxBytes) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks, length);
}

const UTF_8 = new TextDecoder();

export function createResponse(
  answer: { status: number; headers: Record<string, string>; body: Uint8Array },
  where: Where,
): HttpResponse {
  const { status, headers, body } = answer;
  const text = () => UTF_8.decode(body);
  return {
    status,
    headers,
    body,
    text,
    json() {
      try {
        return parseJson(text());
      } catch {
        // Without a cause: V8's SyntaxError quotes the text around the fault.
        throw invalidBody("without valid JSON", "invalid_json", answer, where);
      }
    },
  };
}

/**
 * A 2xx that is not what was asked for, most often the page of a proxy in between: asking again can help.
 */
export function invalidBody(
  what: string,
  code: string,
  answer: { status: number; headers: Record<string, string> },
  where: Where,
): HttpError {
  return new HttpError({
    ...where,
    kind: "invalid_body",
    message: `${where.service}: ${where.label} answered ${answer.status} ${what}`,
    status: answer.status,
    code,
    retryable: true,
    maybeSent: true,
    headers: answer.headers,
  });
}

/** The error of a body that is larger than the caller accepts. */
export const tooLarge = (maxBytes: number, status: number, where: Where): HttpError =>
  new HttpError({
    ...where,
    kind: "too_large",
    message: `${where.service}: ${where.label} answered more than ${maxBytes} bytes`,
    status,
    code: "body_too_large",
    retryable: false,
    maybeSent: true,
  });
