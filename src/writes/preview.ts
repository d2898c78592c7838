// What a person sees of a write before approving it: the complete real request, with nothing hidden.

import type { Account, PreviewRequest, Write } from "../contract/writes.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { chop, exact, exactJson, layOutJson, quoted } from "../core/text/exact.ts";
import { requestHeaders, targetPath } from "../http/outgoing.ts";
import type { OperationRequest } from "../services/operation.ts";
import { previewWarnings } from "./preview-warnings.ts";

/**
 * The request as it will be sent, by the code that sends it; credentials by name only. `user-agent`, which changes with
 * the version of nexusd and says nothing about the write, is left out.
 * @throws HttpError `invalid_request` for a path that is not on the origin
 * @throws TypeError for a `json` that JSON cannot represent
 */
export function previewOf(request: OperationRequest): PreviewRequest {
  const { method, origin, path, label, json, credential } = request;
  const { "user-agent": _, ...headers } = requestHeaders(
    { method, path, label, ...(request.headers && { headers: request.headers }), json },
    "",
    credential.headers,
  );
  return {
    method,
    // A fragment is never sent.
    url: origin + targetPath(origin, path, { service: "nexusd", label }),
    headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
    body: json === undefined ? null : stringifyJson(json),
  };
}

/** A write that sends nothing: what it changes in nexusd itself, in the shape of a request. */
export const previewOfLocal = (operation: string, input: unknown): PreviewRequest => ({
  method: "LOCAL",
  url: `nexusd:${operation}`,
  headers: [],
  body: stringifyJson(input),
});

/** What differs between two previews, in words without values; empty if they are equal. */
export function previewChanges(before: PreviewRequest, now: PreviewRequest): string[] {
  const asMap = ({ headers }: PreviewRequest) => new Map(headers.map(({ name, value }) => [name, value]));
  const [old, fresh] = [asMap(before), asMap(now)];
  const names = new Set([...old.keys(), ...fresh.keys()]);
  return [
    ...(before.method === now.method ? [] : ["the method"]),
    ...(before.url === now.url ? [] : ["the URL"]),
    ...[...names].filter((name) => old.get(name) !== fresh.get(name)).map((name) => `the header ${name}`),
    ...(before.body === now.body ? [] : ["the body"]),
  ];
}

export interface PreviewOptions {
  /** Columns of the terminal; default 100, at least 40. */
  width?: number;
  /** Lines of the body that are shown; what is left out is said. Default: all. */
  maxBodyLines?: number;
}

// Every line of outside text begins with one of these, which outside text cannot do: it contains no line break, and no
// line is long enough for a terminal to break it.
const LINE = "  │ ";
const CONTINUED = "  ┊ ";
const BROKEN = "↩";
const LABEL_WIDTH = 10;
const COLUMNS = 100;

/**
 * The write as text for a person, safe for a terminal. Invisible characters and terminal controls are written as
 * `\u{202e}`, long lines are broken with a mark at both ends of the break, and the body is the exact text that is sent,
 * except for line breaks and blanks between the parts of its JSON.
 */
export function renderPreview(write: Write, options: PreviewOptions = {}): string {
  const columns = Math.max(40, options.width ?? COLUMNS);
  const { preview } = write;
  if (write.bodyRemovedAt !== null) return renderRemoved(write, write.bodyRemovedAt, columns);
  const framed = (line: string) => frame(line, LINE, CONTINUED, columns);
  const field = (label: string, value: string) =>
    frame(value, `  ${label.padEnd(LABEL_WIDTH)}`, `  ${" ".repeat(LABEL_WIDTH - 2)}┊ `, columns);

  return [
    ...frame(write.operation, "", CONTINUED, columns),
    ...(write.destructive
      ? frame("THIS DELETES FOR GOOD: it cannot be taken back.", "!! ", CONTINUED, columns)
      : []),
    ...warningLines(write, columns),
    "",
    ...framed(exact(`${preview.method} ${preview.url}`)),
    ...preview.headers.flatMap(({ name, value }) => framed(exact(`${name}: ${value}`))),
    "",
    ...renderBody(write, columns, options),
    "",
    ...(preview.notice === undefined ? [] : field("note", preview.notice)),
    ...(write.precondition === null
      ? []
      : field("only if", `still ${exactJson(write.precondition)} (as read at the proposal)`)),
    ...(write.account?.fingerprint ? field("key", keyOf(write.account)) : []),
    ...field(
      "sent",
      write.idempotent ? "until it is answered: repeating it changes nothing" : "at most once",
    ),
    ...field("reason", write.reason === null ? "none given" : quoted(write.reason)),
    ...field("agent", write.agent === null ? "gave itself no name" : `calls itself ${quoted(write.agent)}`),
    ...field("proposed", write.proposedAt),
    ...field("expires", write.expiresAt),
    ...field("write", write.id),
    ...field("digest", write.digest),
  ].join("\n");
}

/** What is left of a write whose body was removed. */
function renderRemoved(write: Write, removedAt: string, columns: number): string {
  const field = (label: string, value: string) =>
    frame(value, `  ${label.padEnd(LABEL_WIDTH)}`, `  ${" ".repeat(LABEL_WIDTH - 2)}┊ `, columns);
  return [
    ...frame(write.operation, "", CONTINUED, columns),
    "",
    ...frame(
      `The request, its preview and the answer were removed at ${removedAt}, long after it was finished (jobs.retention.keep_bodies). The digest is that of the request as it was.`,
      "  ",
      CONTINUED,
      columns,
    ),
    "",
    ...field("reason", write.reason === null ? "none given" : quoted(write.reason)),
    ...field("agent", write.agent === null ? "gave itself no name" : `calls itself ${quoted(write.agent)}`),
    ...field("proposed", write.proposedAt),
    ...field("write", write.id),
    ...field("digest", write.digest),
  ].join("\n");
}

function warningLines(write: Write, columns: number): string[] {
  const warnings = previewWarnings(write);
  if (warnings.length === 0) return [];
  const head = "NOT WHAT IT LOOKS LIKE: some characters look like others, or are invisible.";
  return [head, ...warnings].flatMap((text) => frame(text, "!! ", CONTINUED, columns));
}

/** Enough of the fingerprint to tell one key from another. */
const keyOf = ({ credential, fingerprint }: Account): string =>
  `the one of ${credential} with the fingerprint ${fingerprint?.slice(0, 16)}, and no other`;

/**
 * The lines of a body as a person is shown them, up to about `most`; `left` counts those of the text behind them, unbroken.
 * @param shown a line of it made safe
 * @param begin what each line begins with, in front of the text
 */
export function bodyLines(
  body: string,
  { columns = COLUMNS, most = Number.POSITIVE_INFINITY, begin = LINE, shown = exactJson } = {},
) {
  const laidOut = layOutJson(body, most + 1);
  const { lines: all, left: unmade } = laidOut ?? { lines: [body], left: 0 };
  const lines: string[] = [];
  let taken = 0;
  while (taken < all.length && lines.length <= most)
    lines.push(...frame(shown(all[taken++] ?? ""), begin, CONTINUED, columns));
  const left = Math.max(0, lines.length - most) + all.length - taken + unmade;
  return { shown: lines.slice(0, most), left, isLaidOut: laidOut !== undefined };
}

/** How many lines of the body would be left out, if this many are shown. */
export function countHiddenLines({ preview: { body } }: Pick<Write, "preview">, most: number): number {
  return body === null ? 0 : bodyLines(body, { most }).left;
}

function renderBody(write: Write, columns: number, options: PreviewOptions): string[] {
  const { body } = write.preview;
  if (body === null) return ["  without a body"];
  const bytes = `${Buffer.byteLength(body)} bytes`;
  const { shown, left, isLaidOut } = bodyLines(body, {
    columns,
    ...(options.maxBodyLines !== undefined && { most: options.maxBodyLines }),
  });
  const added = isLaidOut ? " (line breaks and blanks between its parts are added)" : "";
  return [
    ...frame(`body, ${bytes}${added}`, "  ", CONTINUED, columns),
    ...shown,
    ...(left === 0
      ? []
      : frame(
          `… ${left} more lines are not shown: it cannot be approved (limits.preview_lines)`,
          "  ",
          CONTINUED,
          columns,
        )),
  ];
}

/** The line in pieces that fit, each with its prefix, and with a mark where it continues. */
function frame(line: string, first: string, next: string, columns: number): string[] {
  // Some terminals give two columns to each of the two signs.
  const pieces = chop(line, columns - Math.max(first.length, next.length) - BROKEN.length - 2);
  return pieces.map((piece, index) => {
    const isLast = index === pieces.length - 1;
    return `${index === 0 ? first : next}${piece}${isLast ? "" : BROKEN}`;
  });
}
