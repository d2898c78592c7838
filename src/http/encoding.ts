// Content codings (RFC 9110, 8.4). nexusd requests none, but a proxy may compress anyway: supported codings are
// decoded, and any other is refused by name. Nothing is ever read as if it were not encoded.

import { pipeline, type Readable, type Transform } from "node:stream";
import { promisify } from "node:util";
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
  gunzip,
  inflate,
  zstdDecompress,
} from "node:zlib";
import type { Answer } from "./exchange.ts";
import { exchangeFailure, type Where } from "./failure.ts";
import { invalidBody } from "./response.ts";

interface Decoder {
  whole(body: Buffer, limits: { maxOutputLength: number }): Promise<Buffer>;
  stream(): Transform;
}

const GZIP: Decoder = { whole: promisify(gunzip), stream: createGunzip };
const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ["gzip", GZIP],
  ["x-gzip", GZIP],
  ["deflate", { whole: promisify(inflate), stream: createInflate }],
  ["br", { whole: promisify(brotliDecompress), stream: createBrotliDecompress }],
  ["zstd", { whole: promisify(zstdDecompress), stream: createZstdDecompress }],
]);
/** More than one is rare, and no well-behaved server uses more than two. */
const MOST_CODINGS = 2;

/**
 * The answer without its content coding; `body` and `stream` as the server meant them. An undecodable body of an error
 * is left out, since its status says enough.
 * @param maxBytes of the decoded body; a larger one is `isTooLarge`
 * @throws HttpError `invalid_body` for a 2xx in an unknown coding, or not in the coding that it claims
 */
export async function decoded(
  answer: Answer,
  options: { maxBytes: number; isSuccess: boolean; where: Where },
): Promise<Answer> {
  const { "content-encoding": named = "", "content-length": _, ...headers } = answer.headers;
  const codings = named
    .toLowerCase()
    .split(",")
    .map((coding) => coding.trim())
    .filter((coding) => coding !== "" && coding !== "identity");
  const plain = { ...answer, headers };
  if (codings.length === 0 || (!answer.stream && answer.body.length === 0)) return plain;

  const decoders = codings.map((coding) => DECODERS.get(coding)).filter((one) => one !== undefined);
  if (decoders.length < codings.length || codings.length > MOST_CODINGS) {
    answer.stream?.destroy();
    if (!options.isSuccess) return { ...plain, body: NOTHING };
    throw invalidBody(unknown(codings), "unknown_encoding", plain, options.where);
  }
  // The coding that was applied last is named last.
  decoders.reverse();
  if (answer.stream)
    return { ...plain, stream: decodedStream(answer.stream, decoders, plain, options.where) };
  try {
    let body = answer.body;
    for (const { whole } of decoders) body = await whole(body, { maxOutputLength: options.maxBytes });
    return { ...plain, body };
  } catch (error) {
    if (!options.isSuccess) return { ...plain, body: NOTHING };
    if (error instanceof RangeError) return { ...plain, body: NOTHING, isTooLarge: true };
    throw undecodable(plain, options.where);
  }
}

const NOTHING = Buffer.alloc(0);

/** Returns decoded data as soon as possible; when destroyed, it destroys the stream that it reads. */
function decodedStream(
  encoded: Readable,
  decoders: readonly Decoder[],
  answer: Answer,
  where: Where,
): Readable {
  const transforms = decoders.map(({ stream }) => stream());
  const last = transforms.at(-1);
  if (!last) return encoded;
  // Only the last decoder is visible, and only the meaning of its errors.
  const destroy = last.destroy.bind(last);
  last.destroy = (error) =>
    destroy(error && isDecodingError(error) ? undecodable(answer, where) : withMeaning(error, where));
  pipeline([encoded, ...transforms], () => {});
  last.on("error", () => {});
  return last;
}

const withMeaning = (error: Error | undefined, where: Where) => error && exchangeFailure(error, where, true);

/** The codes of zlib, Brotli and Zstandard, as Node.js has them. */
const isDecodingError = (error: Error): boolean =>
  "code" in error && typeof error.code === "string" && /^(Z_|ZSTD_|ERR__ERROR_)/.test(error.code);

const undecodable = (answer: Answer, where: Where) =>
  invalidBody(
    "with a body that does not have its stated encoding. Turn off compression in between: nexusd asks for none",
    "undecodable_body",
    answer,
    where,
  );

/** Part of a header is shown only if it looks like the name of a coding. */
function unknown(codings: readonly string[]): string {
  const names = codings.slice(0, 5).map((coding) => (/^[\w.-]{1,20}$/.test(coding) ? coding : "?"));
  return `in an encoding that nexusd does not read (${names.join(", ")}). Turn off compression in between: nexusd asks for none`;
}
