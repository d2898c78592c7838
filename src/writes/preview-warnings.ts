// Warnings about text in a write that is not what it looks like, shown above everything else to whoever decides.

import type { Write } from "../contract/writes.ts";
import { quoted } from "../core/text/exact.ts";
import { type LookAlike, lookAlikes, looksPlain } from "../core/text/look-alikes.ts";

/** More than these nobody reads: the first ones say what kind of request it is. */
const TOLD = 10;

/**
 * A sentence for each character in the write that looks like something else or is invisible, with the place, the code
 * point and what it looks like; safe for a terminal. Empty for nearly all writes.
 */
export function previewWarnings(write: Write): string[] {
  const found = new Set<string>();
  for (const [place, text] of texts(write))
    for (const one of lookAlikes(text)) found.add(sentence(typeof place === "string" ? place : place(), one));
  const all = [...found];
  const more = all.length - TOLD;
  return more > 0 ? [...all.slice(0, TOLD), `and ${more} more like these`] : all;
}

const sentence = (place: string, { word, what }: LookAlike): string =>
  `in ${place}, in ${quoted(word)}: ${safe(what)}`;

// The sentence names the character itself: what cannot be shown must not be, and its own quotes stay.
const safe = (what: string): string => quoted(what).slice(1, -1).replaceAll('\\"', '"');

/** Every text of the write that somebody else chose, and its place. */
function* texts({ preview, precondition, reason, agent }: Write): Generator<[place: Place, text: string]> {
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

/** In words; computed only if there is something to say about it. */
type Place = string | (() => string);

/** A value inside another one, by its key or index there. */
interface Part {
  value: unknown;
  key: string | number;
  inside: Part | undefined;
}

/** An escape by which plain JSON can hold a character that is not plain. */
const ESCAPES = /\\[ubf]/;

function* ofJson(place: string, json: string): Generator<[Place, string]> {
  // Nearly always so, and a large body takes long to read.
  if (looksPlain(json) && !ESCAPES.test(json)) return;
  let value: unknown;
  try {
    // Of its numbers nothing is told, exact or not.
    value = JSON.parse(json);
  } catch {
    yield [place, json];
    return;
  }
  const left: Part[] = [{ value, key: "", inside: undefined }];
  for (let part = left.pop(); part; part = left.pop()) {
    const { value } = part;
    const here = part;
    if (typeof value === "string") yield [() => pathOf(place, here), value];
    else if (typeof value === "object" && value !== null) {
      const keys = Object.keys(value);
      if (!Array.isArray(value))
        for (const key of keys) yield [() => `a name in ${pathOf(place, here)}`, key];
      for (const key of keys.reverse())
        left.push({
          value: Reflect.get(value, key),
          key: Array.isArray(value) ? Number(key) : key,
          inside: part,
        });
    }
  }
}

function pathOf(place: string, { key, inside }: Part): string {
  if (inside === undefined) return place;
  const step = typeof key === "number" ? `[${key}]` : NAME.test(key) ? key : quoted(key);
  return pathTo(pathOf(place, inside), step);
}

const NAME = /^[\w-]{1,40}$/;

/** The last parts of a path, so that a deep one is neither long nor slow. */
const pathTo = (at: string, part: string): string => {
  const place = at.includes(" at ") ? `${at}${part.startsWith("[") ? "" : "."}${part}` : `${at} at ${part}`;
  return place.length > 120 ? `${place.slice(0, place.indexOf(" at ") + 4)}…${place.slice(-60)}` : place;
};
