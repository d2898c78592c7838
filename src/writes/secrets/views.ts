// A text as its recipient may read it: without invisible characters, with escapes resolved, with lines joined, and with
// decoded content. Each view knows where its parts are in the original text.

/** A stretch of a text, as indices. */
export interface Span {
  start: number;
  end: number;
}

export interface View {
  text: string;
  /** Its lines stand side by side, so that texts meet that have nothing to do with each other. */
  isJoined: boolean;
  /** Where a part of the view is in the original text. */
  spanOf(start: number, end: number): Span;
}

/** How many levels of encoding are decoded. */
const DEEPEST = 3;
/** How much of a text may be decoded again: nested encodings cost no more than plain text. */
const MOST_DECODED = 4 * 1024 * 1024;

/** The text itself first. */
export function viewsOf(text: string): View[] {
  const views: View[] = [];
  const known = new Set<string>();
  let left = MOST_DECODED;
  const look = (view: View, depth: number) => {
    if (known.has(view.text)) return;
    known.add(view.text);
    views.push(view);
    if (depth >= DEEPEST) return;
    const visible = rewritten(view, UNSEEN, visibleOf);
    const plain = resolved(visible);
    const joined = rewritten(plain, LINE_BREAK, () => "", true);
    for (const next of [plain, joined]) if (next !== view) look(next, DEEPEST);
    for (const next of decoded(joined)) {
      left -= next.text.length;
      if (left > 0) look(next, depth + 1);
    }
  };
  look({ text, isJoined: false, spanOf: (start, end) => ({ start, end }) }, 0);
  return views;
}

// Characters of format, fillers and selectors; and forms of ASCII letters that other code points have.
const UNSEEN =
  /\p{Cf}|\p{Variation_Selector}|\u034f|[\u115f\u1160\u3164\uffa0]|[\uff01-\uff5e\u{1d400}-\u{1d7ff}\u24b6-\u24e9\u2070-\u209c]/gu;
const visibleOf = (found: string): string => {
  const plain = found.normalize("NFKC");
  return /^[\x21-\x7e]$/.test(plain) ? plain : "";
};

// A quoted line, a continued one, a text that a program puts together: what stands at its seam is left out.
const LINE_BREAK = /["'`]?[ \t]{0,16}[+\\=]?[ \t]{0,4}[\r\n\v\f\u0085\u2028\u2029][\s>|#*"'`+]*/g;

const ESCAPE =
  /\\u\{?([0-9a-f]{4,6})\}?|(?:\\x|%)([0-9a-f]{2})|&#x([0-9a-f]{2,6});|&#([0-9]{2,7});|\\([nrtbf"'`/\\])|&(amp|lt|gt|quot|apos);/gi;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const escapedBy = (
  found: string,
  ...[unicode, byte, hex, decimal, letter, entity]: (string | undefined)[]
): string => {
  const code = unicode ?? byte ?? hex;
  if (code !== undefined) return character(Number.parseInt(code, 16)) ?? found;
  if (decimal !== undefined) return character(Number(decimal)) ?? found;
  if (entity !== undefined) return ENTITIES[entity.toLowerCase()] ?? found;
  if (letter !== undefined && /[nr]/i.test(letter)) return "\n";
  return letter !== undefined && /[tbf]/i.test(letter) ? " " : (letter ?? found);
};
const character = (code: number) => (code <= 0x10ffff ? String.fromCodePoint(code) : undefined);

function resolved(view: View): View {
  let plain = view;
  for (let round = 0; round < DEEPEST; round++) {
    const next = rewritten(plain, ESCAPE, escapedBy);
    if (next === plain) break;
    plain = next;
  }
  return plain;
}

/** The view in which each match is replaced; the view itself where there is none. */
function rewritten(
  view: View,
  pattern: RegExp,
  replace: (found: string, ...groups: (string | undefined)[]) => string,
  isJoined = view.isJoined,
): View {
  const { text } = view;
  const pieces: string[] = [];
  /** Where each piece begins in the new text, and what it stands for in the old one. */
  const starts: number[] = [];
  const spans: (Span & { isCopy: boolean })[] = [];
  let copied = 0;
  let length = 0;
  const add = (piece: string, span: Span, isCopy: boolean) => {
    if (piece === "") return;
    pieces.push(piece);
    starts.push(length);
    spans.push({ ...span, isCopy });
    length += piece.length;
  };
  for (const match of text.matchAll(pattern)) {
    const [found, ...groups] = match;
    const end = match.index + found.length;
    add(text.slice(copied, match.index), { start: copied, end: match.index }, true);
    add(replace(found, ...groups), { start: match.index, end }, false);
    copied = end;
  }
  if (copied === 0) return view;
  add(text.slice(copied), { start: copied, end: text.length }, true);
  const placeOf = (at: number, isEnd: boolean): number => {
    const index = lastNotAbove(starts, isEnd ? Math.max(0, at - 1) : at);
    const span = spans[index];
    const begin = starts[index];
    if (!span || begin === undefined) return at;
    return span.isCopy ? span.start + at - begin : isEnd ? span.end : span.start;
  };
  return {
    text: pieces.join(""),
    isJoined,
    spanOf: (start, end) => view.spanOf(placeOf(start, false), placeOf(end, true)),
  };
}

function lastNotAbove(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sorted[middle] ?? 0) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

const ENCODED = /[A-Za-z0-9+/_-]{24,}/g;

/** What is written in base64 or hexadecimal digits, where it is text. */
function decoded(view: View): View[] {
  return [...view.text.matchAll(ENCODED)].flatMap(({ 0: run, index }) => {
    const texts = [textOfHex(run), ...[0, 1, 2, 3].map((skipped) => textOfBase64(run.slice(skipped)))];
    const text = texts.find((each) => each !== undefined);
    if (text === undefined) return [];
    const span = () => view.spanOf(index, index + run.length);
    return [{ text, isJoined: false, spanOf: span }];
  });
}

const textOfHex = (run: string) =>
  /^(?:[0-9A-Fa-f]{2})+$/.test(run) ? asText(Buffer.from(run, "hex")) : undefined;

const PROBE = 64;
const textOfBase64 = (run: string) =>
  asText(Buffer.from(run.slice(0, PROBE), "base64")) === undefined
    ? undefined
    : asText(Buffer.from(run, "base64"));

/** Undefined: it is no text. Some programs write each character in two bytes. */
function asText(bytes: Buffer): string | undefined {
  const text = bytes.toString("latin1").replaceAll("\0", "");
  if (text.length < 12) return undefined;
  const printable = text.replace(/[^\x20-\x7e\s]/g, "").length;
  return printable >= text.length * 0.9 ? text : undefined;
}
