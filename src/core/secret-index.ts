// Finds known secrets in a text, in any form: unchanged, in JSON, in a URL, in base64, in hexadecimal digits, and in
// part. Every answer of a service passes through here, so a text without any must cost little: one look at every eighth
// position, however many secrets there are.

export interface Found {
  start: number;
  end: number;
  /** In base64 or hexadecimal digits: more of what surrounds it may belong to it. */
  isEncoded: boolean;
}

export interface SecretIndex {
  add(secret: string): void;
  delete(secret: string): void;
  /** In order, none within another one. Takes linear time. */
  find(text: string): Found[];
}

interface Form {
  text: string;
  /** So much of it in a row is a hit: the whole of a short one, half of a long one. */
  least: number;
  isEncoded: boolean;
}

const GRAM = 8;
/** What is as long as this has a gram at a place that is looked at, wherever it stands. */
const SURELY_SAMPLED = 2 * GRAM - 1;
/** Shorter encoded parts also occur in ordinary texts. */
const SHORTEST_ENCODED = 8;
const SHORTEST = 6;
/** How many places of the filter there are for each that is taken: one in so many grams is looked at in vain. */
const SPARSE = 8;
const SMALLEST_BITS = 16;
/** Forms in one text, over all positions. Beyond it, what looks like a part of one counts as one. */
const MOST_COMPARED = 2_000_000;

export function createSecretIndex(): SecretIndex {
  const bySecret = new Map<string, Form[]>();
  let short: Form[] = [];
  let long: Form[] = [];
  /** A bit for each hash of a gram of a long form. */
  let filter = new Uint8Array(2 ** (SMALLEST_BITS - 3));
  let mask = 2 ** SMALLEST_BITS - 1;
  let grams = 0;
  let isStale = false;

  const enter = ({ text }: Form) => {
    for (let at = 0; at + GRAM <= text.length; at++) {
      const place = hashAt(text, at) & mask;
      filter[place >> 3] = (filter[place >> 3] ?? 0) | (1 << (place & 7));
    }
    grams += text.length;
  };

  const rebuild = () => {
    isStale = false;
    const all = [...bySecret.values()].flat();
    short = all.filter(isShort);
    long = all.filter((form) => !isShort(form));
    const needed = long.reduce((sum, { text }) => sum + text.length, 0) * SPARSE;
    // Room to grow to twice as many.
    const bits = Math.max(SMALLEST_BITS, Math.ceil(Math.log2(needed + 1)) + 1);
    filter = new Uint8Array(2 ** (bits - 3));
    mask = 2 ** bits - 1;
    grams = 0;
    for (const form of long) enter(form);
  };

  const isIn = (text: string, at: number): boolean => {
    if (at + GRAM > text.length) return false;
    const place = hashAt(text, at) & mask;
    return ((filter[place >> 3] ?? 0) & (1 << (place & 7))) !== 0;
  };

  /** Whether the gram at this place, which the filter has, can be of a hit: as many in a row as that takes. */
  const isCandidate = (text: string, at: number): boolean => {
    let first = at;
    while (at - first < GRAM && first > 0 && isIn(text, first - 1)) first--;
    let last = at;
    while (last - first < GRAM && isIn(text, last + 1)) last++;
    return last + GRAM - first >= SURELY_SAMPLED;
  };

  const longestAt = (text: string, at: number, from: number): Found | undefined => {
    let longest: Found | undefined;
    for (const form of long) {
      const found = matchOf(form, text, at, from);
      if (found && (!longest || found.end - found.start > longest.end - longest.start)) longest = found;
    }
    return longest;
  };

  /** All that the filter has around this place. */
  const spanAt = (text: string, at: number, from: number): Found => {
    let first = at;
    while (first > from && isIn(text, first - 1)) first--;
    let last = at;
    while (isIn(text, last + 1)) last++;
    return { start: first, end: last + GRAM, isEncoded: true };
  };

  const findLong = (text: string): Found[] => {
    const found: Found[] = [];
    let from = 0;
    let compared = 0;
    for (let at = 0; at + GRAM <= text.length; at += GRAM) {
      if (!isIn(text, at) || !isCandidate(text, at)) continue;
      // A text full of such positions must not take the time of all forms for each of them.
      const hit = compared < MOST_COMPARED ? longestAt(text, at, from) : spanAt(text, at, from);
      compared += long.length;
      if (!hit) continue;
      found.push(hit);
      from = hit.end;
      // On from the first place that is looked at behind it.
      at = Math.max(at, Math.ceil(hit.end / GRAM) * GRAM - GRAM);
    }
    return found;
  };

  const findShort = (text: string): Found[] =>
    short.flatMap(({ text: form, isEncoded }) => {
      const found: Found[] = [];
      for (let start = text.indexOf(form); start >= 0; start = text.indexOf(form, start + form.length))
        found.push({ start, end: start + form.length, isEncoded });
      return found;
    });

  return {
    add(secret) {
      if (secret.length < SHORTEST || bySecret.has(secret)) return;
      const forms = formsOf(secret);
      bySecret.set(secret, forms);
      for (const form of forms) {
        if (isShort(form)) short.push(form);
        else {
          long.push(form);
          enter(form);
        }
      }
      if (grams * SPARSE > mask) isStale = true;
    },
    delete(secret) {
      if (bySecret.delete(secret)) isStale = true;
    },
    find(text) {
      if (text.length < SHORTEST) return [];
      if (isStale) rebuild();
      const found = long.length > 0 ? findLong(text) : [];
      return short.length > 0 ? inOrder([...found, ...findShort(text)]) : found;
    },
  };
}

const isShort = ({ text }: Form) => text.length < SURELY_SAMPLED;

/** Of what overlaps, what begins first, and of that the longest. */
function inOrder(found: Found[]): Found[] {
  const kept: Found[] = [];
  for (const each of found.sort((a, b) => a.start - b.start || b.end - a.end))
    if (each.start >= (kept.at(-1)?.end ?? 0)) kept.push(each);
  return kept;
}

/** The longest part of the form that stands around this place of the text, where it is long enough. */
function matchOf({ text: form, least, isEncoded }: Form, text: string, at: number, from: number) {
  const gram = text.slice(at, at + GRAM);
  let longest: Found | undefined;
  for (let place = form.indexOf(gram); place >= 0; place = form.indexOf(gram, place + 1)) {
    let before = 0;
    while (
      before < place &&
      at - before > from &&
      form.charCodeAt(place - before - 1) === text.charCodeAt(at - before - 1)
    )
      before++;
    let after = GRAM;
    while (place + after < form.length && form.charCodeAt(place + after) === text.charCodeAt(at + after))
      after++;
    if (before + after < least || (longest && before + after <= longest.end - longest.start)) continue;
    longest = { start: at - before, end: at + after, isEncoded };
  }
  return longest;
}

function hashAt(text: string, at: number): number {
  let hash = text.charCodeAt(at);
  for (let n = 1; n < GRAM; n++) hash = Math.imul(hash, 0x2f0b4c47) + text.charCodeAt(at + n);
  // The low bits of a product know only the low bits of its factors.
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 4;
}

const leastOf = (length: number) => Math.min(length, Math.max(2 * GRAM, Math.ceil(length / 2)));

function formsOf(secret: string): Form[] {
  const encoded = encodeURIComponent(secret);
  const plain = new Set([
    secret,
    encoded,
    encoded.replace(/%[0-9A-F]{2}/g, (byte) => byte.toLowerCase()),
    JSON.stringify(secret).slice(1, -1),
    // Some write JSON so.
    secret.replaceAll("/", "\\/"),
    // As in a JSON text of which the backslashes are taken out.
    secret.replaceAll("\\", ""),
  ]);
  const coded = new Set([...plain].flatMap((text) => encodings(Buffer.from(text))));
  const form = (text: string, isEncoded: boolean): Form => ({
    ...{ text, isEncoded },
    least: leastOf(text.length),
  });
  return [
    ...[...plain].filter(({ length }) => length >= SHORTEST).map((text) => form(text, false)),
    ...[...coded].filter(({ length }) => length >= SHORTEST_ENCODED).map((text) => form(text, true)),
  ];
}

/** In base64, of which it depends on what comes before how it looks, and in hexadecimal digits. */
function encodings(bytes: Buffer): string[] {
  const hex = bytes.toString("hex");
  const base64 = [0, 1, 2].flatMap((before) => {
    const whole = Buffer.concat([Buffer.alloc(before), bytes]);
    const [first, last] = [Math.ceil((before * 8) / 6), Math.floor((whole.length * 8) / 6)];
    return [whole.toString("base64"), whole.toString("base64url")].map((text) => text.slice(first, last));
  });
  return [...base64, hex, hex.toUpperCase()];
}
