// A write as a person sees it at a terminal: the daemon's preview, line by line, and its history.

import type { Actor } from "../../contract/actor.ts";
import type { ShownWrite } from "../../contract/api/writes.ts";
import type { Write, WriteSummary } from "../../contract/writes.ts";
import { digestOf } from "../../core/canonical-json.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { layOutJson } from "../../core/text/exact.ts";
import { glyphs } from "../../core/text/glyphs.ts";
import { columnsAtMost, pad, visible, width } from "../../core/text/visible.ts";
import { renderPreview } from "../../writes/preview.ts";
import { previewWarnings } from "../../writes/preview-warnings.ts";
import { Failed } from "../problem.ts";
import { type Line, ofState } from "../terminal/colour.ts";
import { age } from "../terminal/output.ts";

/** A value as lines of JSON, integers exact. */
export function jsonLines(value: unknown): string[] {
  const json = stringifyJson(value ?? null);
  return layOutJson(json)?.lines ?? [json];
}

/**
 * The daemon's text of the write, fitted to the terminal if our renderer produces the same text as the daemon's;
 * additions of a newer daemon are never left out.
 */
export const previewFor = (write: ShownWrite, columns: number): string =>
  redrawn(
    renderPreview(write) === write.previewText
      ? renderPreview(write, { width: columns - FRAME_COLUMNS })
      : write.previewText,
  );

/** The frame in this terminal's characters. Only if the renderer draws it: external text begins no line. */
function redrawn(preview: string): string {
  const lines = preview.split("\n");
  return lines
    .map((line, at) => {
      const goesOn = /^ +┊ /.test(lines[at + 1] ?? "");
      const framed = line
        .replace(/^ {2}│ /, `  ${glyphs.line} `)
        .replace(/^( +)┊ /, `$1${glyphs.continued} `);
      return goesOn && framed.endsWith("↩") ? framed.slice(0, -1) + glyphs.broken : framed;
    })
    .join("\n");
}

/** The renderer counts one column for each of the two frame characters, but some terminals use two. */
const FRAME_COLUMNS = 2;

// Starts every continuation line. No line of a preview begins like this.
const goesOn = () => `${glyphs.goesOn} `;

/**
 * Text in lines of at most `columns`, nothing left out. Its own line breaks stay; every other control or invisible
 * character is made visible. A continuation line starts with a mark, so that no text can fake the beginning of a line
 * by filling up the previous one.
 */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const line of text.split("\n")) {
    let row = "";
    let used = 0;
    for (const char of visible(line)) {
      const more = columnsAtMost(char);
      if (used + more > columns) {
        lines.push(row);
        row = goesOn();
        used = columnsAtMost(goesOn());
      }
      row += char;
      used += more;
    }
    lines.push(row);
  }
  return lines;
}

/** The same for a preview, with coloured warnings. External text begins no line of it, so it cannot fake a warning. */
export function previewLines(preview: string, columns: number): Line[] {
  let isWarning = false;
  return wrapped(preview, columns).map((line) => {
    const isContinued = line.startsWith(goesOn()) || /^ *[┊:] /.test(line);
    isWarning = line.startsWith("!! ") || (isWarning && isContinued);
    return isWarning ? [{ text: line, tone: "bad" }] : line;
  });
}

/**
 * Checks that the digest matches the request it came with: an approval refers to it.
 * @throws Failed `digest_mismatch`
 */
export function checkDigest({ id, request, digest }: Write): void {
  if (digestOf(request) === digest) return;
  throw new Failed({
    title: "The write is not the one that was shown",
    detail: `Write ${id} does not match its digest. Do not approve it.`,
    code: "digest_mismatch",
  });
}

/** Its state in a few words: "rejected 3 s ago: not before Monday". */
export function stateOf(write: Write | WriteSummary): string {
  const { state, note } = write;
  const error = errorOf(write);
  const why = error
    ? `${error.code}: ${error.message}`
    : state === "rejected" || state === "resolved"
      ? note
      : null;
  const words =
    state === "proposed"
      ? `proposed ${age(write.proposedAt)}, expires ${age(write.expiresAt)}`
      : shortStateOf(write);
  return words + (why ? `: ${why}` : "");
}

/** The same for a column of a table, in at most 29 characters: "rejected 3 s ago". */
export function shortStateOf(write: Write | WriteSummary, nowMs = Date.now()): string {
  const { state, outcome } = write;
  if (state === "proposed") {
    const isOver = Date.parse(write.expiresAt) <= nowMs;
    return `proposed, ${isOver ? "expired" : `${age(write.expiresAt, nowMs).replace(/^in /, "")} left`}`;
  }
  const at = write.finishedAt ?? write.executingAt ?? write.decidedAt;
  const name = state === "resolved" && outcome ? `resolved as ${outcome}` : state;
  return at ? `${name} ${age(at, nowMs)}` : name;
}

export const errorOf = (write: Write | WriteSummary) =>
  "error" in write ? write.error : (write.result?.error ?? null);

/** "ops over operator.sock", "signature of alice, brought by scout over agent.sock" */
export function whoOf({ via, user, signer = null }: Actor): string {
  const way = [user, via].filter(Boolean).join(" over ");
  return signer === null ? way : `signature of ${signer}, sent by ${way}`;
}

/** Its history, as text for `wrapped`: one fact per line. */
function history(write: Write): string {
  const { decidedBy, signedBy = [], note, result, attempts } = write;
  const by = decidedBy && whoOf(decidedBy);
  // If one signer was enough, the decision itself names them.
  const signed = write.state === "proposed" || signedBy.length > 1 ? signedBy : [];
  const facts: [string, string | null | undefined | false][] = [
    ["id", write.id],
    ["state", stateOf(write)],
    ["decided", write.decidedAt && `${write.decidedAt}${by ? `, ${by}` : ""}`],
    ["signed by", signed.map(({ signer, at }) => `${signer} (${at})`).join(", ")],
    ["note", note],
    ["executing", write.executingAt && `${write.executingAt}, requests sent: ${attempts}`],
    ["finished", write.finishedAt],
    [
      "body",
      write.bodyRemovedAt && `removed at ${write.bodyRemovedAt}, according to jobs.retention.keep_bodies`,
    ],
    ["what to do", result?.remedy],
  ];
  const lines = facts.flatMap(([name, value]) => (value ? [`${pad(name, 11)} ${visible(value)}`] : []));
  if (result?.output !== undefined && result.output !== null)
    lines.push("output", ...jsonLines(result.output));
  return lines.join("\n");
}

/** The same in lines of at most `columns`, with its state in colour. */
export const historyLines = (write: Write, columns: number): Line[] =>
  wrapped(history(write), columns).map((line) => {
    const at = STATE_COLUMN.length;
    return line.startsWith(STATE_COLUMN) ? [line.slice(0, at), ofState(write.state, line.slice(at))] : line;
  });
const STATE_COLUMN = pad("state", 12);

/** The lines right above the question, whatever has scrolled away: what is about to happen. */
function summary(write: Write): string {
  const { id, operation, preview, digest, destructive } = write;
  const warned = previewWarnings(write).length;
  return [
    ["operation", destructive ? `${visible(operation)} (deletes permanently)` : visible(operation)],
    ["request", `${visible(preview.method)} ${visible(preview.url)}`],
    ["write", visible(id)],
    ["digest", visible(digest)],
    ...(warned > 0 ? [["CAREFUL", "it is not what it looks like: read the lines with !! at the top"]] : []),
  ]
    .map(([name = "", value = ""]) => `${pad(name, 11)} ${value}`)
    .join("\n");
}

/** The same in lines of at most `columns`, with warnings in colour. */
export const summaryLines = (write: Write, columns: number): Line[] =>
  wrapped(summary(write), columns).map((line) =>
    line.startsWith("CAREFUL") || (write.destructive && line.startsWith("operation"))
      ? [{ text: line, tone: "bad" }]
      : line,
  );

/** The end of an id, where ids of the same minute differ; a short id as a whole. */
export const shortId = (id: string): string => (width(id) > 10 ? `${glyphs.cut}${id.slice(-8)}` : id);
