// A decision about one write as a short text that a person can read and sign: made from the stored bytes, by the
// renderer of the preview. The same write always gives the same bytes.

import { DECISIONS, type Decision } from "../contract/signing.ts";
import type { Write } from "../contract/writes.ts";
import { exact, exactJson } from "../core/text/exact.ts";
import { bodyLines } from "./preview.ts";

/**
 * Of the text below, byte for byte. Any change to how a write looks in it needs a new version: then old statements are
 * refused by name, and not for an invisible difference.
 */
export const STATEMENT_VERSION = 1;

const FIRST_LINE = /^nexusd decision v(\d{1,9})$/;
const INDENT = "  ";

export interface StatementOf extends Pick<Write, "id" | "operation" | "digest" | "expiresAt"> {
  preview: Pick<Write["preview"], "method" | "url" | "body">;
}

/** @param epoch of the database that the write is in */
export function renderStatement(write: StatementOf, epoch: string, decision: Decision): string {
  const { method, url, body } = write.preview;
  return [
    `nexusd decision v${STATEMENT_VERSION}`,
    `decision: ${decision}`,
    `write: ${write.id}`,
    `epoch: ${epoch}`,
    `operation: ${exact(write.operation)}`,
    `digest: sha256:${write.digest}`,
    `valid-until: ${write.expiresAt}`,
    `request: ${exact(`${method} ${url}`)}`,
    ...(body === null
      ? ["body: none"]
      : [
          `body: ${Buffer.byteLength(body)} bytes`,
          "",
          ...bodyLines(body, { begin: INDENT, shown: exactJson }).shown,
        ]),
    "",
  ].join("\n");
}

/** What the head of a statement says, as far as it is one. */
export interface StatementHead {
  version: number;
  decision: Decision;
  write: string;
  epoch: string;
  digest: string;
  validUntil: string;
}

/** Of a version that is not known here only that is read. undefined: it is no statement. */
export function readStatement(text: string): StatementHead | { version: number } | undefined {
  const lines = text.slice(0, LONGEST_HEAD).split("\n", HEAD_LINES);
  const version = Number(FIRST_LINE.exec(lines[0] ?? "")?.[1] ?? Number.NaN);
  if (Number.isNaN(version)) return undefined;
  if (version !== STATEMENT_VERSION) return { version };
  const field = (at: number, name: string, shape: RegExp) =>
    new RegExp(`^${name}: (${shape.source})$`).exec(lines[at] ?? "")?.[1];
  const decision = DECISIONS.find((one) => one === field(1, "decision", /\w+/));
  const write = field(2, "write", /\S+/);
  const epoch = field(3, "epoch", /\S+/);
  const digest = field(5, "digest", /sha256:[0-9a-f]{64}/)?.slice("sha256:".length);
  const validUntil = field(6, "valid-until", /\S+/);
  if (!decision || !write || !epoch || !digest || !validUntil) return undefined;
  return { version, decision, write, epoch, digest, validUntil };
}

const HEAD_LINES = 7;
/** Far more than the lines before the request can have. */
const LONGEST_HEAD = 4096;
