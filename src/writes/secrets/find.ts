// Finds secrets by their shape in one text, in linear time.

import { isRandom, NEAR, PATTERNS } from "./patterns.ts";
import { TOKENS, type TokenShape } from "./tokens.ts";
import type { Span, View } from "./views.ts";

export interface Hit extends Span {
  /** What it looks like. */
  kind: string;
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const BY_FIRST = new Map<string, { start: string; shape: TokenShape }[]>();
for (const shape of TOKENS)
  for (const start of shape.starts) {
    const first = start.slice(0, 2);
    BY_FIRST.set(first, [...(BY_FIRST.get(first) ?? []), { start, shape }]);
  }
/** Every place at which one of them may begin. */
const BEGINNING = new RegExp(TOKENS.flatMap(({ starts }) => starts.map(escaped)).join("|"), "g");

/** Behind a word: as long as no id is, in letters of both cases and digits. */
const looksDrawn = (rest: string) =>
  rest.length >= 30 && /\d/.test(rest) && /[a-z]/.test(rest) && /[A-Z]/.test(rest) && isRandom(rest);

function tokenAt({ text, isJoined }: View, at: number): Hit | undefined {
  const isGlued = at > 0 && /[A-Za-z0-9]/.test(text.charAt(at - 1));
  let longest: Hit | undefined;
  for (const { start, shape } of BY_FIRST.get(text.slice(at, at + 2)) ?? []) {
    if (!text.startsWith(start, at)) continue;
    const { rest, kind } = shape;
    rest.lastIndex = at + start.length;
    const [found] = rest.exec(text) ?? [];
    if (found === undefined || (shape.isWeak && isGlued && (isJoined || !looksDrawn(found)))) continue;
    const end = at + start.length + found.length;
    if (end > (longest?.end ?? 0)) longest = { kind, start: at, end };
  }
  return longest;
}

/** In the order of the text for each kind of search; they may overlap. */
export function secretsIn(view: View): Hit[] {
  const { text, isJoined, spanOf } = view;
  const hits: Hit[] = [];
  BEGINNING.lastIndex = 0;
  for (let match = BEGINNING.exec(text); match; match = BEGINNING.exec(text)) {
    const hit = tokenAt(view, match.index);
    if (hit) hits.push(hit);
    BEGINNING.lastIndex = hit?.end ?? match.index + 1;
  }
  const lower = text.toLowerCase();
  for (const { kind, hints, pattern, isReal, near, acrossLines } of PATTERNS) {
    if ((isJoined && !acrossLines) || !hints.some((hint) => lower.includes(hint))) continue;
    for (const { 0: found, index, groups } of text.matchAll(pattern)) {
      const secret = groups?.secret ?? found;
      const start = index + found.lastIndexOf(secret);
      const end = start + secret.length;
      if (isReal && !isReal(secret)) continue;
      if (near !== undefined && !text.slice(Math.max(0, start - NEAR), end + NEAR).includes(near)) continue;
      hits.push({ kind, start, end });
    }
  }
  return hits.map(({ kind, start, end }) => ({ kind, ...spanOf(start, end) }));
}
