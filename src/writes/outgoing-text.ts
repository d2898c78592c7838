// Looks for secrets in text that is about to leave the machine: strangers can read a session's messages.

import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { WriteError } from "../contract/writes.ts";
import { REDACTED } from "../core/redaction.ts";
import type { OutgoingText } from "../services/operation.ts";
import { type Hit, secretsIn } from "./secrets/find.ts";
import { type Span, viewsOf } from "./secrets/views.ts";

/** Resolves if there is no secret in any of the texts. @throws WriteError `secret_in_text`, without the secret */
export type ScanText = (texts: readonly OutgoingText[]) => Promise<void>;

const MOST_TOLD = 20;
const LONG = 16 * 1024;
/** In characters: the minimum cost of a text. */
const COST_OF_A_VIEW = 500;
const KNOWN = "CREDENTIAL_OF_NEXUSD";

/** @param options.credentialsIn where nexusd's own credentials stand in a text */
export function createTextScan(options: { credentialsIn(text: string): Promise<Span[]> }): ScanText {
  let last: Promise<void> = Promise.resolve();
  /** In order, one per round of the event loop: many texts do not add up. */
  const turn = () => {
    last = last.then(() => nextTurn());
    return last;
  };
  return async (texts) => {
    const { content, parts } = asOne(texts);
    const found: Hit[] = [];
    let looked = 0;
    for (const view of viewsOf(content)) {
      // Others get their turn while a long text, or what many short ones decode to, is scanned.
      looked += view.text.length + COST_OF_A_VIEW;
      if (looked > LONG) {
        await turn();
        looked = 0;
      }
      for (const { start, end } of await options.credentialsIn(view.text))
        found.push({ kind: KNOWN, ...view.spanOf(start, end) });
      // Its rules require more before and after a secret than those here, and know containers that these do not.
      if (!view.isJoined)
        for (const { kind, start, end } of await hitsOfRules(view.text))
          found.push({ kind, ...view.spanOf(start, end) });
      found.push(...secretsIn(view));
    }
    const hits = apart(found);
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
    // Some secrets are recognised only by the name before them.
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
    // A path that contains the member must not repeat the secret in it.
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
    `${first ? `${first.path} ${first.message}` : "The text contains a secret"}${more}. ` +
      "Nothing was stored or sent: take it out, because others could read it there.",
    { errors },
  );
}

/** In order, one for each place: several rules may match the same secret. */
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

/** Loaded for the first outgoing text: a daemon that sends nothing pays neither the time nor the memory. */
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
  // It is on by default, and keeps several marks of each scan forever: in itself, and in the timeline of Node.js.
  secretLintProfiler.setEnabled(false);
  const rules = preset.rules
    // With it, a comment in the text could switch the other rules off.
    .filter(({ meta }) => meta.id !== "@secretlint/secretlint-rule-filter-comments")
    .map((rule) => ({ id: rule.meta.id, rule }));
  return async (content) => {
    const { messages } = await lintSource({
      source: { filePath: "message.txt", content, contentType: "text" },
      options: { config: { rules }, noPhysicFilePath: true, maskSecrets: true },
    });
    // The id of a message is a constant of its rule; its words may contain the secret.
    return messages.map(({ messageId, range: [start, end] }) => ({ kind: messageId, start, end }));
  };
}
