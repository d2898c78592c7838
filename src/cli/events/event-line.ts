// Events as lines for a person: sequence, time, type and key data, in columns; invisible characters are shown.

import { TYPE_PREFIX } from "../../contract/new-event.ts";
import { parseJson } from "../../core/exact-json.ts";
import { pad, visible, width } from "../../core/text/visible.ts";
import { SERVICE_WORDS } from "../services/event-words.ts";
import { type Line, ofType } from "../terminal/colour.ts";
import { type Data, record, text, timeOf, words } from "./words.ts";

/** Sequence, time, type, and what the event says. */
type Cells = [string, string, string, string];
type Widths = readonly [number, number, number];

// When following, future events are unknown: five digits, and the longest type. A time of another day is wider.
const FOLLOWING: Widths = [5, 8, 26];

/**
 * The lines of a page, with columns as wide as it needs.
 * @param events CloudEvents of the log, as JSON
 */
export function eventLines(events: string[], now = new Date()): Line[] {
  const rows = events.map((json) => cells(json, now));
  const widest = (column: 0 | 1 | 2) => Math.max(0, ...rows.map((row) => width(row[column])));
  const widths: Widths = [widest(0), widest(1), widest(2)];
  return rows.map((row) => aligned(row, widths));
}

/** The line of a single event, with the same widths for all. */
export const eventLine = (json: string, now = new Date()): Line => aligned(cells(json, now), FOLLOWING);

const aligned = ([sequence, time, type, says]: Cells, widths: Widths): Line => [
  `${sequence.padStart(widths[0])}  ${pad(time, widths[1])}  `,
  ofType(type),
  `${pad(type, widths[2]).slice(type.length)}  ${says}`,
];

function cells(json: string, now: Date): Cells {
  const event = record(parseJson(json));
  const type = text(event.type);
  const name = type.startsWith(TYPE_PREFIX) ? type.slice(TYPE_PREFIX.length) : type;
  const says = digest(name, record(event.data), now);
  const subject = text(event.subject);
  const isNews = isName(subject) && !says.split(/[\s:]+/).includes(subject);
  const at = { sequence: visible(text(event.sequence)), time: visible(timeOf(text(event.time), now)) };
  return [at.sequence, at.time, visible(name), visible(isNews ? `${subject} ${says}` : says)];
}

/** An order number, a SKU, a job; not an id made for machines. */
const isName = (subject: string) =>
  subject !== "" && subject.length <= 24 && !/^[0-9a-f-]{16,}$/i.test(subject);

function nodeWords(name: string, data: Data, now: Date): string {
  const node = text(data.node);
  if (name === "node.lost") return `${node}: last seen ${timeOf(text(data.seenAt), now)}`;
  return name === "node.left" ? `${node}: ${text(data.reason)}` : `${node}: nexusd ${text(data.version)}`;
}

/** The few facts of `data` that a person looks for; an unknown type shows its data. */
function digest(name: string, data: Data, now: Date): string {
  const [family = ""] = name.split(".", 1);
  if (family === "write") {
    const error = record(data.error);
    const why = text(error.code)
      ? `${text(error.code)}: ${text(error.message)}`
      : text(data.note ?? data.reason);
    const signer = text(record(data.actor).signer);
    const what = signer ? `${text(data.operation)}, signed by ${signer}` : text(data.operation);
    return [what, why].filter(Boolean).join(": ");
  }
  const ofService = Object.hasOwn(SERVICE_WORDS, family)
    ? SERVICE_WORDS[family]?.(name, data, now)
    : undefined;
  if (ofService !== undefined) return ofService;
  if (family === "node") return nodeWords(name, data, now);
  if (data.message !== undefined)
    return words(data.service ?? data.job, `${text(data.code)}: ${text(data.message)}`);
  return text(data);
}
