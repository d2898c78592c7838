// The last line of defence before a line is written: every known secret and everything shaped like one is taken
// out. The first is not to log secrets at all (Secret in src/config/secrets.ts, HttpError).

export const REDACTED = "‹redacted›";

/** A session id as logs and errors show it: enough to tell sessions apart, too little to take part in one. */
export const short = (sessionId: string): string => `${sessionId.slice(0, 6)}…`;

// Each is anchored on its left side, so that "task-…" is no "sk-…" and a SHA-256 digest no session id.
const SHAPES: [RegExp, (match: string, ...groups: string[]) => string][] = [
  [/(?<![0-9A-Za-z_-])eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?/g, () => REDACTED],
  [/(?<![0-9A-Za-z])nxs_ak_[\w-]+/g, () => REDACTED],
  [/(?<![0-9A-Za-z])sb_(?:secret|publishable)_[\w-]+/g, () => REDACTED],
  [/(?<![0-9A-Za-z])sk-[\w-]{20,}/g, () => REDACTED],
  [/(\bBearer\s+)[\w.~+/=-]{8,}/gi, (_match, scheme) => `${scheme}${REDACTED}`],
  // A pairing code lets whoever has it join for ten minutes.
  [/(?<![0-9A-Za-z-])[A-Z]{2,}-[A-Z]{2,}-[A-Z0-9]{5}(?![0-9A-Za-z-])/g, () => REDACTED],
  [/((?:\/sessions\/|\bmessaging:))([\w-]{7,})/g, (_match, before, id) => `${before}${short(id)}`],
  [/(?:(?<![0-9a-f])|(?<=%[0-9a-f]{2}))[0-9a-f]{48}(?![0-9a-f])/gi, (id) => short(id)],
];

/** Takes out what is recognised by its shape alone. */
export const scrubShapes = (text: string): string => {
  let scrubbed = text;
  for (const [shape, replace] of SHAPES) scrubbed = scrubbed.replace(shape, replace);
  return scrubbed;
};

export interface Redactor {
  /** Makes a value unprintable from now on; `replacement` stands in its place (a session id: `short(id)`). */
  add(secret: string, replacement?: string): void;
  /** The same, of one of many that follow each other, such as tokens: only the latest few are kept. */
  addPassing(secret: string): void;
  /**
   * A value of any form without the credentials added, also where they are encoded: in an address, as JSON in a
   * string, in base64 (`user:password`) or hexadecimal digits. The value itself where there is none. Ids of sessions
   * stay. A member of the outermost object that is named in `keep` stays as it is.
   */
  hide<T>(value: T, keep?: string): T;
  /** The same text without the secrets added and without what is shaped like one. */
  scrub(text: string): string;
  /** Where the credentials added stand in a text, each from its `start` up to its `end`. */
  find(text: string): { start: number; end: number }[];
}

// Known secrets are found by their first characters, so that the cost of a line does not grow with their number.
const PREFIX = 6;

/** The longest of these secrets that stands at this place of the text, and what stands in its place. */
function longestAt(known: Map<string, string>, text: string, at: number): [string, string] | undefined {
  let longest: [string, string] | undefined;
  for (const entry of known)
    if (entry[0].length > (longest?.[0].length ?? 0) && text.startsWith(entry[0], at)) longest = entry;
  return longest;
}

/** A token lives for an hour or so. */
const MOST_PASSING = 16;
/** Run by run and not around each `%`: a megabyte without one would be searched from each of its letters. */
const RUN = /[^\s"'<>]+/g;
const CODED = /[A-Za-z0-9+/_-]{16,}={0,2}/g;

export function createRedactor(): Redactor {
  const passing: string[] = [];
  const byPrefix = new Map<string, Map<string, string>>();
  const tiny = new Map<string, string>();
  const beginnings = new Uint8Array(0x10000);

  // One pass, which leaves alone what stands for a secret already: a text may be scrubbed more than once.
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
    for (const form of formsOf(secret)) {
      if (form.length < PREFIX) {
        tiny.set(form, replacement);
        continue;
      }
      const prefix = form.slice(0, PREFIX);
      const known = byPrefix.get(prefix) ?? new Map<string, string>();
      byPrefix.set(prefix, known.set(form, replacement));
      beginnings[beginningOf(form, 0)] = 1;
    }
  };

  const find: Redactor["find"] = (text) => {
    const found: { start: number; end: number }[] = [];
    for (let start = 0; start + PREFIX <= text.length; start++) {
      if (beginnings[beginningOf(text, start)] === 0) continue;
      const known = byPrefix.get(text.slice(start, start + PREFIX));
      const [secret, replacement] = (known && longestAt(known, text, start)) ?? [];
      // What has a replacement of its own (a session's id) is hidden from logs, but is no credential.
      if (secret === undefined || replacement !== REDACTED) continue;
      found.push({ start, end: start + secret.length });
      start += secret.length - 1;
    }
    return found;
  };

  const hideCoded = (text: string): string =>
    text.replace(CODED, (run) => {
      const bytes = [Buffer.from(run, "base64")];
      if (/^(?:[0-9a-f]{2})+$/i.test(run)) bytes.push(Buffer.from(run, "hex"));
      return bytes.some((decoded) => find(decoded.toString()).length > 0) ? REDACTED : run;
    });
  const hideEscaped = (text: string): string =>
    text.includes("%")
      ? text.replace(RUN, (run) => {
          const plain = run.replace(/%([0-9a-f]{2})/gi, (_, byte: string) =>
            String.fromCharCode(Number.parseInt(byte, 16)),
          );
          return plain !== run && find(plain).length > 0 ? REDACTED : run;
        })
      : text;
  const hideInText = (text: string): string => {
    let hidden = "";
    let copied = 0;
    for (const { start, end } of find(text)) {
      hidden += text.slice(copied, start) + REDACTED;
      copied = end;
    }
    return hideEscaped(hideCoded(copied === 0 ? text : hidden + text.slice(copied)));
  };

  const hideIn = (value: unknown, keep?: string): unknown => {
    if (typeof value === "string") return hideInText(value);
    if (typeof value === "number" || typeof value === "bigint")
      return find(String(value)).length > 0 ? REDACTED : value;
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
      for (const form of oldest === undefined ? [] : formsOf(oldest)) {
        const known = byPrefix.get(form.slice(0, PREFIX));
        known?.delete(form);
        if (known?.size === 0) byPrefix.delete(form.slice(0, PREFIX));
      }
    },
    // Text becomes text, and what is nothing else stays of its own form.
    hide: <T>(value: T, keep?: string) => hideIn(value, keep) as T,
    scrub: (text) => scrubShapes(hideCoded(scrubKnown(text))),
    find,
  };
}

/** As it may stand in a URL or in JSON inside a string. */
const formsOf = (secret: string): Set<string> => {
  const encoded = encodeURIComponent(secret);
  const lower = encoded.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase());
  return new Set([secret, encoded, lower, JSON.stringify(secret).slice(1, -1)]);
};

/** Tells most places of a text, at which no secret begins, from the others at little cost. */
const beginningOf = (text: string, at: number): number =>
  (text.charCodeAt(at) * 961 + text.charCodeAt(at + 1) * 31 + text.charCodeAt(at + 2)) & 0xffff;
