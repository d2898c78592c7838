// Looks for secrets in text that is about to leave the machine: what a session carries, strangers read.

import { z } from "zod";
import { REDACTED } from "../daemon/redact.ts";
import type { OutgoingText } from "../services/operation.ts";
import { WriteError } from "./types.ts";

/** A stretch of a text, as indices. */
export interface Span {
  start: number;
  end: number;
}

/** Resolves when there is no secret in any of the texts. @throws WriteError `secret_in_text`, without the secret */
export type ScanText = (texts: readonly OutgoingText[]) => Promise<void>;

interface Hit extends Span {
  /** What it looks like, as the rule calls it. */
  kind: string;
}

const MOST_TOLD = 20;
const KNOWN = "CREDENTIAL_OF_NEXUSD";

// What the rules do not know: the credentials of the services here, and private keys that are short or cut off.
const SHAPES: readonly { kind: string; pattern: RegExp }[] = [
  { kind: "NEXUS_AGENT_KEY", pattern: /(?<![0-9A-Za-z])nxs_ak_[\w-]{8,}/g },
  { kind: "SUPABASE_SECRET_KEY", pattern: /(?<![0-9A-Za-z])sb_secret_[\w-]{8,}/g },
  // "sk-learn-based-model-2" is none: somewhere it has a long run of letters and digits.
  { kind: "API_KEY", pattern: /(?<![0-9A-Za-z])sk-(?:[a-z]{1,16}-){0,4}(?=[a-zA-Z_]*\d)\w{20,}/g },
  {
    kind: "PrivateKey",
    pattern: /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nr]){0,4}[\w+/]{40,}/g,
  },
  { kind: "JSON_WEB_TOKEN", pattern: /(?<![0-9A-Za-z_-])eyJ[\w-]{10,}\.eyJ[\w-]{5,}\.[\w-]{10,}/g },
];

/** @param options.credentialsIn where nexusd's own credentials stand in a text */
export function createTextScan(options: { credentialsIn(text: string): Promise<Span[]> }): ScanText {
  return async (texts) => {
    const { content, parts } = asOne(texts);
    const known = await options.credentialsIn(content);
    const hits = apart([
      ...known.map((span) => ({ kind: KNOWN, ...span })),
      ...(await hitsOfRules(content)),
      ...hitsOfShapes(content),
    ]);
    if (hits.length > 0) throw refusal(hits, parts);
  };
}

interface Part {
  outgoing: OutgoingText;
  /** Where it begins in the whole, and where its text does, behind its name. */
  start: number;
  textStart: number;
}

/** All texts as one, so that many small ones cost no more than a large one. */
function asOne(texts: readonly OutgoingText[]): { content: string; parts: Part[] } {
  const parts: Part[] = [];
  const pieces: string[] = [];
  let start = 0;
  for (const outgoing of texts) {
    const { text, name } = outgoing;
    // Some secrets are known only by the name that stands before them.
    const before = name === undefined ? "" : `"${name}": "`;
    const piece = name === undefined ? text : `${before}${text}"`;
    parts.push({ outgoing, start, textStart: start + before.length });
    pieces.push(piece);
    start += piece.length + 1;
  }
  return { content: pieces.join("\n"), parts };
}

function refusal(hits: Hit[], parts: Part[]): WriteError {
  const found = hits.slice(0, MOST_TOLD).flatMap((hit) => {
    const part = parts.findLast(({ start }) => start <= hit.start);
    return part ? [{ ...part, kind: hit.kind, at: hit.start, isName: hit.end <= part.textStart }] : [];
  });
  const secretNames = new Set(found.flatMap(({ isName, outgoing }) => (isName ? [outgoing.name] : [])));
  const errors = found.map(({ kind, isName, at, textStart, outgoing }) => {
    // A path that names its members must not repeat the secret among them.
    const path = z.core.toDotPath(
      outgoing.path.map((step) => (secretNames.has(String(step)) ? REDACTED : step)),
    );
    const place = isName ? "in its name" : placeIn(outgoing.text, Math.max(0, at - textStart));
    return { path, message: `looks like a secret (${kind}), ${place}` };
  });
  const [first] = errors;
  const more = hits.length > 1 ? `, and ${hits.length - 1} more` : "";
  return new WriteError(
    "secret_in_text",
    `${first ? `${first.path} ${first.message}` : "The text holds a secret"}${more}. ` +
      "Nothing was stored or sent: take it out, since whoever is in the session could read it.",
    { errors },
  );
}

/** In order, one for each place: several rules may know the same secret. */
function apart(hits: Hit[]): Hit[] {
  const found: Hit[] = [];
  for (const hit of hits.toSorted((a, b) => a.start - b.start))
    if (hit.start >= (found.at(-1)?.end ?? 0)) found.push(hit);
  return found;
}

function placeIn(text: string, at: number): string {
  const lines = text.slice(0, at).split("\n");
  return `at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

const hitsOfShapes = (content: string): Hit[] =>
  SHAPES.flatMap(({ kind, pattern }) =>
    [...content.matchAll(pattern)].map(({ index, 0: match }) => ({
      kind,
      start: index,
      end: index + match.length,
    })),
  );

/** Loaded at the first text that goes out: a daemon that sends nothing pays neither the time nor the memory. */
let rules: Promise<(content: string) => Promise<Hit[]>> | undefined;

async function hitsOfRules(content: string): Promise<Hit[]> {
  rules ??= loadRules().catch((error) => {
    rules = undefined;
    throw error;
  });
  return (await rules)(content);
}

async function loadRules(): Promise<(content: string) => Promise<Hit[]>> {
  const [{ lintSource }, { secretLintProfiler }, preset] = await Promise.all([
    import("@secretlint/core"),
    import("@secretlint/profiler"),
    import("@secretlint/secretlint-rule-preset-recommend"),
  ]);
  // It is on by default, and keeps several marks of each scan for good: in itself, and in the timeline of Node.js.
  secretLintProfiler.setEnabled(false);
  const rules = preset.rules
    // With it, a comment in the text would switch the others off.
    .filter(({ meta }) => meta.id !== "@secretlint/secretlint-rule-filter-comments")
    .map((rule) => ({ id: rule.meta.id, rule }));
  return async (content) => {
    const { messages } = await lintSource({
      source: { filePath: "message.txt", content, contentType: "text" },
      options: { config: { rules }, noPhysicFilePath: true, maskSecrets: true },
    });
    // The id of a message is a constant of its rule; its words may hold what was found.
    return messages.map(({ messageId, range: [start, end] }) => ({ kind: messageId, start, end }));
  };
}
