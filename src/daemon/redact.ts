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

export function createRedactor(): Redactor {
  const byPrefix = new Map<string, Map<string, string>>();
  const tiny = new Map<string, string>();

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

  return {
    add(secret, replacement = REDACTED) {
      if (secret === "") return;
      // As it may stand in a URL or in JSON inside a string.
      for (const form of new Set([secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])) {
        if (form.length < PREFIX) {
          tiny.set(form, replacement);
          continue;
        }
        const prefix = form.slice(0, PREFIX);
        const known = byPrefix.get(prefix) ?? new Map<string, string>();
        byPrefix.set(prefix, known.set(form, replacement));
      }
    },
    scrub: (text) => scrubShapes(scrubKnown(text)),
    find(text) {
      const found: { start: number; end: number }[] = [];
      for (let start = 0; start < text.length; start++) {
        const known = byPrefix.get(text.slice(start, start + PREFIX));
        const [secret, replacement] = (known && longestAt(known, text, start)) ?? [];
        // What has a replacement of its own (a session's id) is hidden from logs, but is no credential.
        if (secret === undefined || replacement !== REDACTED) continue;
        found.push({ start, end: start + secret.length });
        start += secret.length - 1;
      }
      return found;
    },
  };
}
