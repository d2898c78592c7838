// The headers of every answer of the page's server, and its refusals.

import type { ServerResponse } from "node:http";
import { PROBLEMS, type ProblemCode } from "../contract/problem-codes.ts";
import { stringifyJson } from "../core/exact-json.ts";

/** No inline script or style, no other origin, no frame around it, no form, no string that is run as script. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  ...["worker-src", "form-action", "base-uri", "frame-ancestors"].map((kind) => `${kind} 'none'`),
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
  "cache-control": "no-store",
};

/** Must be called before anything is answered. */
export function protect(response: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
}

/** Those of this server only; the others are shared with the control API. */
const OWN_PROBLEMS = {
  no_page_session: { status: 401, title: "This browser has not opened the page" },
  link_used: { status: 403, title: "This link was used before" },
  link_unknown: { status: 403, title: "This is no link of this page" },
  daemon_failed: { status: 502, title: "The daemon did not answer" },
  no_daemon: { status: 503, title: "No daemon" },
  daemon_silent: { status: 504, title: "The daemon did not answer in time" },
} as const;

export interface Refusal {
  code: ProblemCode | keyof typeof OWN_PROBLEMS;
  detail: string;
  headers?: Record<string, string>;
}

/** To a person who navigates, only the text; to the page, problem+json. */
export function refuse(response: ServerResponse, { code, detail, headers = {} }: Refusal): void {
  const { status, title } = { ...PROBLEMS, ...OWN_PROBLEMS }[code];
  const { accept = "", "sec-fetch-dest": destination } = response.req.headers;
  const isPerson = destination === "document" || (destination === undefined && accept.includes("text/html"));
  const problem = { type: `urn:nexusd:problem:${code}`, title, status, detail, code };
  const type = isPerson ? "text/plain" : "application/problem+json";
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  send(
    response,
    status,
    `${type}; charset=utf-8`,
    isPerson ? `${title}. ${detail}\n` : stringifyJson(problem),
  );
}

export function send(
  response: ServerResponse,
  status: number,
  type: string,
  body: string | Uint8Array,
): void {
  // Closed by us or by the client: there is no one left to answer.
  if (response.destroyed || response.headersSent) return;
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
