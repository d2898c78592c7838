// The last line of defence before a log line is written: every known secret and everything shaped like one is removed.
// The first is not to log secrets at all (Secret in src/config/secrets.ts, HttpError).

import { createSecretIndex, type Found, type SecretIndex } from "./secret-index.ts";

export const REDACTED = "‹redacted›";

/** A session id as logs and errors show it: enough to distinguish sessions, too little to take part in one. */
export const short = (sessionId: string): string => `${sessionId.slice(0, 6)}…`;

// Each is anchored on its left side, so that "task-…" is no "sk-…" and a SHA-256 digest no session id.
const SHAPES: [RegExp, (match: string, ...groups: string[]) => string][] = [
  [/(?<![0-9A-Za-z_-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, () => REDACTED],
  [/(?<![0-9A-Za-z])nxs_ak_[\w-]+/g, () => REDACTED],
  [/(?<![0-9A-Za-z])sb_(?:secret|publishable)_[\w-]+/g, () => REDACTED],
  [/(?<![0-9A-Za-z])sk-[\w-]{20,}/g, () => REDACTED],
  [/(\bBearer\s+)[\w.~+/=-]{8,}/gi, (_match, scheme) => `${scheme}${REDACTED}`],
  // A pairing code lets anyone who has it join for ten minutes.
  [/(?<![0-9A-Za-z-])[A-Z]{2,}-[A-Z]{2,}-[A-Z0-9]{5}(?![0-9A-Za-z-])/g, () => REDACTED],
  [/((?:\/sessions\/|\bmessaging:))([\w-]{7,})/g, (_match, before, id) => `${before}${short(id)}`],
  [/(?:(?<![0-9a-f])|(?<=%[0-9a-f]{2}))[0-9a-f]{48}(?![0-9a-f])/gi, (id) => short(id)],
];

/** Removes what is recognised only by its shape. */
export const scrubShapes = (text: string): string => {
  let scrubbed = text;
  for (const [shape, replace] of SHAPES) scrubbed = scrubbed.replace(shape, replace);
  return scrubbed;
};

export interface Redactor {
  /** Hides a value from now on; `replacement` appears instead (for a session id: `short(id)`). */
  add(secret: string, replacement?: string): void;
  /** The same, for one of many that follow each other, such as tokens: only the latest few are kept. */
  addPassing(secret: string): void;
  /**
   * A value of any type without the registered credentials, even if only half of one is left, or if they are encoded:
   * in a URL, as JSON in a string, in base64 (`user:password`) or hexadecimal digits. Returns the value itself if there
   * are none. Session ids stay. A member of the outermost object that is named in `keep` stays unchanged.
   */
  hide<T>(value: T, keep?: string): T;
  /**
   * Whether a JSON text certainly has none of the registered credentials in it, in any form: then nothing needs to be
   * hidden.
   */
  isFree(json: string): boolean;
  /** The same text without registered secrets and without anything shaped like one. */
  scrub(text: string): string;
  /** The positions of registered credentials in a text, each from its `start` up to its `end`. */
  find(text: string): { start: number; end: number }[];
}

// Known secrets are found by their first characters, so that the cost of a line does not grow with their number.
const PREFIX = 6;

/** The longest of these secrets at this position of the text, and its replacement. */
function longestAt(known: Map<string, string>, text: string, at: number): [string, string] | undefined {
  let longest: [string, string] | undefined;
  for (const entry of known)
    if (entry[0].length > (longest?.[0].length ?? 0) && text.startsWith(entry[0], at)) longest = entry;
  return longest;
}

/** A token lives for about an hour. */
const MOST_PASSING = 16;

export function createRedactor(): Redactor {
  const passing: string[] = [];
  const byPrefix = new Map<string, Map<string, string>>();
  const tiny = new Map<string, string>();
  const index = createSecretIndex();

  // One pass, which leaves earlier replacements alone: a text may be scrubbed more than once.
  const scrubKnown = (text: string): string => {
    if (byPrefix.size === 0 && tiny.size === 0) return text;
    let scrubbed = "";
    let copied = 0;
    for (let at = 0; at < text.length; at++) {
      if (text[at] === REDACTED[0] && text.startsWith(REDACTED, at)) {
        at += REDACTED.length - 1;
        continue;
      }
      const known = byPrefix.get(text.slice(at, at + PREFIX));
      const found =
        (known && longestAt(known, text, at)) ?? (tiny.size > 0 ? longestAt(tiny, text, at) : undefined);
      if (!found) continue;
      const [secret, replacement] = found;
      if (text.startsWith(replacement, at)) {
        at += replacement.length - 1;
        continue;
      }
      scrubbed += text.slice(copied, at) + replacement;
      copied = at + secret.length;
      at = copied - 1;
    }
    return scrubbed + text.slice(copied);
  };

  const add: Redactor["add"] = (secret, replacement = REDACTED) => {
    if (secret === "") return;
    // A value with its own replacement (a session's id) is hidden from logs, but is not a credential.
    if (replacement === REDACTED) index.add(secret);
    for (const form of formsOf(secret)) {
      if (form.length < PREFIX) {
        tiny.set(form, replacement);
        continue;
      }
      const prefix = form.slice(0, PREFIX);
      const known = byPrefix.get(prefix) ?? new Map<string, string>();
      byPrefix.set(prefix, known.set(form, replacement));
    }
  };

  const hideInText = (text: string): string => hideEscaped(hideFound(text, index.find(text)), index);

  const hideIn = (value: unknown, keep?: string): unknown => {
    if (typeof value === "string") return hideInText(value);
    if (typeof value === "number" || typeof value === "bigint")
      return index.find(String(value)).length > 0 ? REDACTED : value;
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => hideIn(item));
      return items.some((item, at) => item !== value[at]) ? items : value;
    }
    const entries = Object.entries(value);
    const hidden = entries.map(([name, item]): [string, unknown] => [
      hideInText(name),
      name === keep ? item : hideIn(item),
    ]);
    const isSame = hidden.every(([name, item], at) => name === entries[at]?.[0] && item === entries[at]?.[1]);
    return isSame ? value : Object.fromEntries(hidden);
  };

  return {
    add,
    addPassing(secret) {
      if (passing.includes(secret)) return;
      add(secret);
      passing.push(secret);
      const oldest = passing.length > MOST_PASSING ? passing.shift() : undefined;
      if (oldest !== undefined) index.delete(oldest);
      for (const form of oldest === undefined ? [] : formsOf(oldest)) {
        const known = byPrefix.get(form.slice(0, PREFIX));
        known?.delete(form);
        if (known?.size === 0) byPrefix.delete(form.slice(0, PREFIX));
      }
    },
    // Text becomes text, and what is nothing else stays of its own form.
    hide: <T>(value: T, keep?: string) => hideIn(value, keep) as T,
    isFree: (json) => isFree(json, index),
    scrub: (text) => scrubShapes(hideInText(scrubKnown(text))),
    find: (text) => index.find(text).map(({ start, end }) => ({ start, end })),
  };
}

/** As it may stand in a URL or in JSON inside a string. */
const formsOf = (secret: string): Set<string> => {
  const encoded = encodeURIComponent(secret);
  const lower = encoded.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());
  return new Set([secret, encoded, lower, JSON.stringify(secret).slice(1, -1)]);
};

/** In base64 and hexadecimal digits. */
const isCoded = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x2f && code <= 0x39) ||
  code === 0x2b ||
  code === 0x2d ||
  code === 0x5f;
const EQUALS = 0x3d;

/** Of an encoded text, the whole run is removed: what surrounds the secret is encoded together with it. */
function hideFound(text: string, found: readonly Found[]): string {
  let hidden = "";
  let copied = 0;
  for (let { start, end, isEncoded } of found) {
    if (start < copied || text.startsWith(REDACTED, start - 1)) continue;
    if (isEncoded) {
      while (start > copied && isCoded(text.charCodeAt(start - 1))) start--;
      while (end < text.length && isCoded(text.charCodeAt(end))) end++;
      while (end < text.length && text.charCodeAt(end) === EQUALS) end++;
    }
    hidden += text.slice(copied, start) + REDACTED;
    copied = end;
  }
  return copied === 0 ? text : hidden + text.slice(copied);
}

const hasEscapes = (text: string): boolean => text.includes("%") && /%[0-9a-f]{2}/i.test(text);

/** By hand: a megabyte of nothing but escapes would take a callback of `replace` for each of them. */
function unescaped(text: string): string {
  const units = new Uint16Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at++) {
    let unit = text.charCodeAt(at);
    const high = unit === PERCENT ? digitOf(text.charCodeAt(at + 1)) : -1;
    const low = high < 0 ? -1 : digitOf(text.charCodeAt(at + 2));
    if (low >= 0) {
      unit = high * 16 + low;
      at += 2;
    }
    units[length++] = unit;
  }
  return Buffer.from(units.buffer, 0, 2 * length).toString("utf16le");
}

const PERCENT = 0x25;
/** The value of a hexadecimal digit; -1: it is none. */
function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** A piece of a text, up to a blank or a quote, that contains a secret once its bytes are decoded. */
function hideEscaped(text: string, index: SecretIndex): string {
  if (!hasEscapes(text) || index.find(unescaped(text)).length === 0) return text;
  return text
    .split(/([\s"'<>])/)
    .map((piece) => (hasEscapes(piece) && index.find(unescaped(piece)).length > 0 ? REDACTED : piece))
    .join("");
}

/** Without parsing it as JSON: what could become a secret by that counts as one. */
function isFree(json: string, index: SecretIndex): boolean {
  const hasBackslash = json.includes("\\");
  // A character of ASCII that need not be written so.
  if (hasBackslash && json.includes("\\u00")) return false;
  const text = hasBackslash ? json.replaceAll("\\", "") : json;
  return index.find(text).length === 0 && (!hasEscapes(text) || index.find(unescaped(text)).length === 0);
}
