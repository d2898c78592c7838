// What a write is about, for whoever decides about it: derived from what would be sent and from what is known of its
// target.

import type { WriteReviewView } from "../contract/api/writes.ts";
import { type Aim, partsOf } from "../contract/write-about.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { exact } from "../core/text/exact.ts";
import type { LocalView, Operation } from "../services/operation.ts";

type About = WriteReviewView["about"];

interface Beside {
  /** Of the service's target, as far as nexusd keeps it. */
  view: LocalView | undefined;
  subject: Operation["subject"];
}

const LONGEST_VALUE = 500;
const LONGEST_IN_TEXT = 80;
const MOST_IN_TEXT = 4;

/** Verbs of operations that change something that exists: its previous state is part of what they are about. */
const CHANGES_SOMETHING = /^(?:update|upsert|set|rename|move)\b/;

/** What is unknown is said to be unknown; a value of the request is never taken from elsewhere. */
export function aboutWrite(aim: Aim, { view, subject }: Beside): About {
  const { known, name, fields, id, noun, verb } = partsOf(aim);
  const label = name && name.key !== "" && isIdOf(name.value, id) ? undefined : name?.value;
  const called = view?.label ?? label;
  const shownName = called === undefined ? (id === undefined ? "" : shortId(id)) : named(called);
  const isChange = CHANGES_SOMETHING.test(verb) && id !== undefined;
  const changes = fields.map(([field, to]) => ({
    field: exact(field),
    from: textOf(known[field]),
    to: textOf(to) ?? "",
    now: textOf(view?.fields[field]),
  }));
  const isMove = changes.some(({ from, now }) => from !== null || now !== null);
  const plain = [isMove ? "" : verb, noun, shownName].filter(Boolean).join(" ");
  const head = subject && shownName ? subject(shownName) : plain;
  const said = changes.slice(0, MOST_IN_TEXT).map((change) => sentence(change, isChange));
  const more = changes.length - said.length;
  const tail = [...said, ...(more > 0 ? [`and ${more} more`] : [])].join(", ");
  return {
    text: [head, tail].filter(Boolean).join(": "),
    target:
      id === undefined
        ? null
        : { kind: noun, id: exact(id), ...(called !== undefined && { label: exact(called) }) },
    changes,
    asOf: view?.asOf ?? null,
  };
}

type Change = About["changes"][number];

function sentence({ field, from, to, now }: Change, isChange: boolean): string {
  const value = short(to);
  if (from !== null) {
    const moved = `${short(from)} → ${value}`;
    return now === null || now === from ? moved : `${moved} (last seen as ${short(now)})`;
  }
  if (now !== null) return `${field} ${short(now)} (as last seen) → ${value}`;
  return isChange ? `${field} (now unknown) → ${value}` : `${field} ${value}`;
}

const PLAIN_WORD = /^[\p{L}\p{N}_.+@-]+$/u;
/** None of its text can look like words of this sentence. */
const PLAIN_NAME = /^[\p{L}\p{N}#][\p{L}\p{N} _.+@#/-]*$/u;

/** In quotes where it is not a single word, so that it ends where it seems to. Null: there is none. */
function textOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string") return exact(clipped(stringifyJson(value), LONGEST_VALUE));
  const text = exact(clipped(value, LONGEST_VALUE));
  return PLAIN_WORD.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

function named(name: string): string {
  const text = exact(clipped(name, LONGEST_IN_TEXT));
  return PLAIN_NAME.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}

/** Its beginning tells it from another; the whole of it is in the target. */
const shortId = (id: string) => (/^[\w-]{21,}$/.test(id) ? `${id.slice(0, 8)}…` : named(id));
/** As `partsOf` names a thing that has no name. */
const isIdOf = (name: string, id: string | undefined) =>
  id !== undefined && (name === id || (name.endsWith("…") && id.startsWith(name.slice(0, -1))));

/** A value as above, with its second quote where it has a first. */
function short(value: string): string {
  const cut = clipped(value, LONGEST_IN_TEXT);
  return cut !== value && value.startsWith('"') ? `${cut}"` : cut;
}

function clipped(text: string, most: number): string {
  const characters = [...text.slice(0, most * 2)];
  return characters.length <= most && text.length <= most * 2
    ? text
    : `${characters.slice(0, most - 1).join("")}…`;
}
