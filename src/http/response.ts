// Bodies: read up to a limit, and returned as bytes, text or JSON.

import { isUtf8 } from "node:buffer";
import type { Readable } from "node:stream";
import { parseJson } from "../core/exact-json.ts";
import { excessOf } from "../core/json-shape.ts";
import { Chunks } from "./chunks.ts";
import type { HttpResponse } from "./client.ts";
import { HttpError } from "./errors.ts";
import type { Where } from "./failure.ts";
import { type Place, roomFor } from "./room.ts";

/** The whole body; undefined if it is larger: then it is not read to its end, and its connection is not used again. */
export async function readBody(body: Readable, maxBytes: number, place?: Place): Promise<Buffer | undefined> {
  const chunks = new Chunks();
  for await (const chunk of body) {
    // undici's bodies are byte streams without an encoding.
    const bytes = chunk as Buffer;
    // Leaving the loop destroys the body.
    if (chunks.length + bytes.length > maxBytes) return undefined;
    chunks.add(bytes);
    await roomFor(place, chunks.length, body);
  }
  return chunks.whole();
}

const UTF_8 = new TextDecoder();

/** Removes nexusd's credentials from what was read. */
interface Hiding {
  /** Whether a JSON text certainly contains none. */
  isFree(json: string): boolean;
  hide(value: unknown): unknown;
}

export function createResponse(
  answer: { status: number; headers: Record<string, string>; body: Uint8Array },
  where: Where,
  hide?: Hiding,
): HttpResponse {
  const { status, headers, body } = answer;
  const text = () => decodeText(answer, where);
  return {
    status,
    headers,
    body,
    text,
    json({ most, edit } = {}) {
      let json = text();
      let excess = excessOf(json);
      if (excess !== undefined && (edit || most)) {
        json = edit?.(json) ?? json;
        excess = excessOf(json, most);
      }
      if (excess !== undefined) throw excessive(excess, answer.status, where);
      let value: unknown;
      try {
        value = parseJson(json);
      } catch {
        // Without a cause: V8's SyntaxError quotes the text around the fault.
        throw invalidBody(/^\s*</.test(json) ? PAGE : "without valid JSON", "invalid_json", answer, where);
      }
      return !hide || hide.isFree(json) ? value : hide.hide(value);
    },
  };
}

/** A retry would give the same. */
export const excessive = (what: string, status: number, where: Where): HttpError =>
  new HttpError({
    ...{ ...where, status, kind: "too_large", code: "json_too_large" },
    message: `${where.service}: ${where.label} answered ${what}, which nexusd does not take`,
    ...{ retryable: false, maybeSent: true },
  });

const PAGE = "with a page instead of JSON: does a login page answer in its place?";
const CHARSET = /;\s*charset\s*=\s*"?([^\s";]+)/i;
/** In these even plain words are not what they would be in UTF-8. */
const IS_WIDE = /^(utf-?(16|32)|ucs-?[24]|iso-10646-ucs)/i;

/**
 * The text of a body. JSON is UTF-8 (RFC 8259), and valid UTF-8 is read as such whatever the server says; anything else
 * is read in the charset that it names.
 * @throws HttpError `invalid_body` for an unknown charset
 */
function decodeText(
  answer: { status: number; headers: Record<string, string>; body: Uint8Array },
  where: Where,
): string {
  const { headers, body } = answer;
  const charset = CHARSET.exec(headers["content-type"] ?? "")?.[1];
  if (charset === undefined || /^utf-?8$/i.test(charset) || (!IS_WIDE.test(charset) && isUtf8(body)))
    return UTF_8.decode(body);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    throw invalidBody("in a charset that nexusd does not read", "unknown_charset", answer, where);
  }
  return decoder.decode(body);
}

/** A 2xx that is not what was requested, most often a proxy's page: a retry can help. */
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

/** The error of a body that is larger than the caller allows. */
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
