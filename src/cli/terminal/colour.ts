// Colour for terminals that support it: of states, of types of events, of outcomes of writes. It only repeats what the
// words say.

import { WriteStream } from "node:tty";
import { styleText } from "node:util";
import { clip } from "../../core/text/visible.ts";

type Tone = "good" | "open" | "bad" | "past" | "name";

/** A piece of a line, and its tone; undefined: uncoloured. */
export interface Toned {
  text: string;
  tone: Tone | undefined;
}

/** A line for a person, whole or in pieces. */
export type Line = string | readonly (string | Toned)[];

export type Paint = (tone: Tone, text: string) => string;

const STYLES = { good: "green", open: "yellow", bad: "red", past: "dim", name: "cyan" } as const;

const TONES: Readonly<Record<Tone, readonly string[]>> = {
  good: ["ok", "succeeded", "recovered", "joined", "live", "opened", "quiet", "up"],
  // An action is still due, from a person or from nexusd.
  open: [
    ...["warn", "degraded", "starting", "paused", "stale", "missed", "fallback"],
    ...["proposed", "approved", "executing", "low", "pending", "due", "waiting", "draining"],
  ],
  bad: [
    ...["fail", "failing", "failed", "down", "invalid", "unknown", "gap", "lost", "overdue"],
    ...["broken", "refused", "key_refused", "challenged", "stuck"],
  ],
  past: ["disabled", "standby", "rejected", "cancelled", "expired", "resolved", "left", "forgotten"],
  name: [],
};
const TONE_OF: ReadonlyMap<string, Tone> = new Map(
  // The keys of an object literal of this file.
  (Object.entries(TONES) as [Tone, readonly string[]][]).flatMap(([tone, words]) =>
    words.map((word) => [word, tone] as const),
  ),
);

/** A state in its colour. @param text the text to show, if not the state itself */
export const ofState = (state: string, text = state): Toned => ({ text, tone: TONE_OF.get(state) });

/** The type of an event, in the colour of its last word if that is a state; else in that of types. */
export const ofType = (type: string): Toned => ({
  text: type,
  tone: TONE_OF.get(type.slice(type.lastIndexOf(".") + 1)) ?? "name",
});

/**
 * How to paint on a terminal with this environment; undefined: it has no colours, or they are unwanted. FORCE_COLOR
 * overrides NO_COLOR and TERM, as in Node.js.
 */
export function painterFor(env: NodeJS.ProcessEnv): Paint | undefined {
  if (WriteStream.prototype.getColorDepth(env) === 1) return undefined;
  // The terminal's support was determined above, for the given environment.
  return (tone, text) => styleText(STYLES[tone], text, { validateStream: false });
}

export const plain = (line: Line): string =>
  typeof line === "string"
    ? line
    : line.map((piece) => (typeof piece === "string" ? piece : piece.text)).join("");

/** The line cut to the terminal's width, then painted: no colour is left open, or counted as width. */
export function painted(line: Line, columns: number, paint: Paint | undefined): string {
  const text = clip(plain(line).trimEnd(), columns);
  if (!paint || typeof line === "string") return text;
  let at = 0;
  const pieces = line.map((piece) => {
    const length = plain([piece]).length;
    const part = text.slice(at, at + length);
    at += length;
    return typeof piece === "string" || !piece.tone || part === "" ? part : paint(piece.tone, part);
  });
  return pieces.join("") + text.slice(at);
}
