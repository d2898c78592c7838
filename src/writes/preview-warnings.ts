// What of a write is not what it looks like, wherever in it: told to the person who decides, above all the rest.

import type { Write } from "../contract/writes.ts";
import { parseJson } from "../core/exact-json.ts";
import { quoted } from "../core/text/exact.ts";
import { type LookAlike, lookAlikes } from "../core/text/look-alikes.ts";

/** More than these nobody reads: the first ones say what kind of request it is. */
const TOLD = 10;

/**
 * A sentence for each thing in the write that looks like something else or like nothing, with the place, the code point
 * and what it looks like; safe for a terminal. Empty for nearly all writes.
 */
export function previewWarnings(write: Write): string[] {
  const found = new Set<string>();
  for (const [place, text] of texts(write))
    for (const one of lookAlikes(text)) found.add(sentence(place, one));
  const all = [...found];
  const more = all.length - TOLD;
  return more > 0 ? [...all.slice(0, TOLD), `and ${more} more like these`] : all;
}

const sentence = (place: string, { word, what }: LookAlike): string =>
  `in ${place}, in ${quoted(word)}: ${safe(what)}`;

// The sentence names the character itself: what cannot be shown must not be, and its own quotes stay.
const safe = (what: string): string => quoted(what).slice(1, -1).replaceAll('\\"', '"');

/** Every text of the write that somebody else chose, and where it stands. */
function* texts({ preview, precondition, reason, agent }: Write): Generator<[place: string, text: string]> {
  yield ["the URL", decoded(preview.url)];
  for (const { name, value } of preview.headers) yield [`the header ${name}`, value];
  if (preview.body !== null) yield* ofJson("the body", preview.body);
  if (precondition !== null) yield* ofJson("the condition", precondition);
  if (reason !== null) yield ["the reason", reason];
  if (agent !== null) yield ["the agent's name", agent];
}

/** As it was before it was written for HTTP; what is no UTF-8 stays as it is. */
const decoded = (url: string): string =>
  url.replace(/(?:%[89a-f][0-9a-f])+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });

function* ofJson(place: string, json: string): Generator<[string, string]> {
  let value: unknown;
  try {
    value = parseJson(json);
  } catch {
    yield [place, json];
    return;
  }
  const left: [string, unknown][] = [[place, value]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [at, part] = next;
    if (typeof part === "string") yield [at, part];
    else if (typeof part === "object" && part !== null) {
      const inside: [string, unknown][] = [];
      for (const [key, member] of Object.entries(part)) {
        const isItem = Array.isArray(part);
        if (!isItem) yield [`a name in ${at}`, key];
        inside.push([pathTo(at, isItem ? `[${key}]` : NAME.test(key) ? key : quoted(key)), member]);
      }
      left.push(...inside.reverse());
    }
  }
}

const NAME = /^[\w-]{1,40}$/;

/** The last parts of a path, so that a deep one is neither long nor slow. */
const pathTo = (at: string, part: string): string => {
  const place = at.includes(" at ") ? `${at}${part.startsWith("[") ? "" : "."}${part}` : `${at} at ${part}`;
  return place.length > 120 ? `${place.slice(0, place.indexOf(" at ") + 4)}…${place.slice(-60)}` : place;
};
