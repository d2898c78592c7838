// Refuses requests whoever sends them: everything that a page of another origin could have caused.

import type { IncomingMessage } from "node:http";
import type { Refusal } from "./answer.ts";
import { OPEN_PATH } from "./names.ts";

/** Destinations that embed a document in another one. */
const EMBEDDED = new Set(["iframe", "frame", "embed", "object", "fencedframe"]);

/** @param host the only one that this server answers to: `127.0.0.1:PORT` */
export function refusalOf(
  { method = "", url = "", headersDistinct: headers }: IncomingMessage,
  host: string,
): Refusal | undefined {
  const origin = `http://${host}`;
  const foreign = (detail: string): Refusal => ({ code: "forbidden_origin", detail });
  // Another name that resolves to this address, or none: DNS rebinding.
  if (!isOnly(headers.host, host)) return foreign(`This page answers only at ${origin}.`);
  if (!["GET", "HEAD", "POST"].includes(method))
    return {
      ...{ code: "method_not_allowed", detail: `This page accepts GET, HEAD and POST, not ${method}.` },
      headers: { allow: "GET, HEAD, POST" },
    };
  if (headers.origin && !isOnly(headers.origin, origin))
    return foreign("This request comes from a page of another origin.");
  const site = headers["sec-fetch-site"];
  const destination = headers["sec-fetch-dest"]?.[0] ?? "";
  if (EMBEDDED.has(destination)) return foreign("This page is not shown inside another one.");
  // The link may be followed from anywhere: from a chat, or a file. Following it has no effect on its own.
  const isLink = method === "GET" && url === OPEN_PATH && destination === "document";
  if (site && !isOnly(site, "same-origin") && !isOnly(site, "none") && !isLink)
    return foreign("This request comes from a page of another origin.");
  if (method === "POST") return refusalOfChange(headers, origin);
  return undefined;
}

/** A form of another site can set neither of the two. */
function refusalOfChange(headers: NodeJS.Dict<string[]>, origin: string): Refusal | undefined {
  if (!headers.origin)
    return { code: "forbidden_origin", detail: `What changes something has the header "origin": ${origin}.` };
  if (!/^application\/json(?:;\s*charset=utf-8)?$/i.test(headers["content-type"]?.join() ?? ""))
    return { code: "unsupported_media_type", detail: 'The header "content-type" must be application/json.' };
  return undefined;
}

const isOnly = (values: readonly string[] | undefined, wanted: string): boolean =>
  values?.length === 1 && values[0] === wanted;
