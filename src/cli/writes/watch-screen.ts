// The screen of `nexusctl writes watch`: a list of the proposals, or one of them, as lines.

import type { ShownWrite } from "../../contract/api/writes.ts";
import type { WriteSummary } from "../../contract/writes.ts";
import { glyphs } from "../../core/text/glyphs.ts";
import { clip, visible, width } from "../../core/text/visible.ts";
import { type Line, plain, type Toned } from "../terminal/colour.ts";
import { editedLine } from "../terminal/line-editor.ts";
import { age } from "../terminal/output.ts";
import type { Size } from "../terminal/terminal.ts";
import { previewFor, previewLines, wrapped } from "./preview-view.ts";

/** One proposal on the whole screen. */
export interface Opened {
  write: ShownWrite;
  /** Its first line on the screen. */
  top: number;
  /** Since when its last line has been on the screen, in ms of the monotonic clock; undefined: never yet. */
  seenAt: number | undefined;
  /** Why it can no longer be decided. */
  closed: string | undefined;
  /** The reason of a rejection, while it is being typed. */
  reason: string | undefined;
}

/** A proposal that was decided or has expired, still shown to a person who was about to open it. */
export interface Gone {
  write: WriteSummary;
  state: string;
  /** Who decided it, in words; empty: it was not decided. */
  by: string;
  /** When it disappears, in ms of the monotonic clock. */
  until: number;
}

export interface Inbox {
  /** Whether the daemon's list has been read. */
  isRead: boolean;
  /** Proposed and not expired, oldest first. */
  writes: WriteSummary[];
  /** The id of the selected one. */
  selected: string | undefined;
  opened: Opened | undefined;
  /** The newest last. */
  gone: Gone[];
  /** The last thing that happened. */
  notice: string;
}

const layouts = new WeakMap<ShownWrite, { columns: number; lines: Line[] }>();

/** The lines of the open write, as wide as the screen. */
export function openedLines({ write }: Opened, { columns }: Size): Line[] {
  let layout = layouts.get(write);
  // A megabyte must not be laid out again at every key.
  if (layout?.columns !== columns) {
    layout = { columns, lines: previewLines(previewFor(write, columns), columns) };
    layouts.set(write, layout);
  }
  return layout.lines;
}

/** How many of its lines fit. */
export const openedRoom = ({ rows }: Size): number => Math.max(1, rows - 5);

export const selectedIndex = ({ writes, selected }: Inbox): number =>
  Math.max(
    0,
    writes.findIndex(({ id }) => id === selected),
  );

/** The visible rows of the list, as indexes into it. */
export function listWindow(inbox: Inbox, { rows }: Size): { top: number; room: number } {
  const room = Math.max(1, rows - 6 - inbox.gone.length);
  const at = selectedIndex(inbox);
  return { top: Math.max(0, Math.min(at - Math.floor(room / 2), inbox.writes.length - room)), room };
}

/** Exactly as many lines as the screen has; the caller cuts them at its edge. */
export function screen(inbox: Inbox, size: Size, nowMs: number): Line[] {
  const lines = inbox.opened
    ? openedScreen(inbox.opened, inbox.notice, size)
    : listScreen(inbox, size, nowMs);
  return lines.slice(0, size.rows);
}

function listScreen(inbox: Inbox, size: Size, nowMs: number): Line[] {
  const { isRead, writes, notice } = inbox;
  const { columns, rows } = size;
  const count = !isRead
    ? glyphs.cut
    : writes.length === 0
      ? "nothing to decide"
      : `${writes.length} to decide`;
  const head: Line = [
    "nexusctl writes watch: ",
    { text: count, tone: writes.length > 0 ? "open" : undefined },
  ];
  const at = selectedIndex(inbox);
  const { top, room } = listWindow(inbox, size);
  const [aboutColumns, saysColumns] = [
    // At 80 columns, the first words of the agent's reason fit.
    Math.max(20, Math.floor(columns * 0.425)),
    Math.max(20, Math.floor(columns / 3)),
  ];
  const gone = inbox.gone.map(({ write, state, by }): (string | Toned)[] => [
    ...["", "", { text: state, tone: "past" as const }],
    { text: clip(visible(write.about), aboutColumns), tone: "past" },
    ...["", { text: clip(visible(by), saysColumns), tone: "past" as const }],
    ...[age(write.proposedAt, nowMs), visible(write.operation)],
  ]);
  const table = columnsOf([
    ["", "", "STATE", "WHAT IT IS ABOUT", "EXPIRES", "WHAT THE AGENT SAYS", "PROPOSED", "OPERATION"],
    ...writes.slice(top, top + room).map((write, row): (string | Toned)[] => {
      const says = [clip(visible(write.agent ?? ""), 20), visible(write.reason ?? "")];
      return [
        { text: top + row === at ? ">" : "", tone: "name" },
        row < 9 ? String(row + 1) : "",
        Date.parse(write.expiresAt) <= nowMs ? { text: "expired", tone: "past" } : write.state,
        {
          text: clip((write.destructive ? "DELETES: " : "") + visible(write.about), aboutColumns),
          tone: write.destructive ? "bad" : undefined,
        },
        age(write.expiresAt, nowMs),
        clip(says.filter(Boolean).join(": "), saysColumns),
        age(write.proposedAt, nowMs),
        visible(write.operation),
      ];
    }),
    ...gone,
  ]);
  const keys = writes.length > 0 ? "Enter or 1-9: open it   Up, Down: choose   q: quit" : "q: quit";
  return framed([head, "", ...table], [...noticeLines(notice, size), keys], rows);
}

function openedScreen(opened: Opened, notice: string, size: Size): Line[] {
  const { write, top, seenAt, closed, reason } = opened;
  const all = openedLines(opened, size);
  const room = openedRoom(size);
  const last = Math.min(all.length, top + room);
  const position = all.length > room ? `, lines ${top + 1} to ${last} of ${all.length}` : "";
  const head = `Write ${visible(write.id)}, digest ${visible(write.digest.slice(0, 12))}${glyphs.cut}${position}`;
  const keys = closed
    ? "Esc: back   q: quit"
    : seenAt === undefined
      ? "Space: read on; read to the end to approve   r: reject   Esc: back   q: quit"
      : "a: approve   r: reject   Up, Down, Space: read   Esc: back   q: quit";
  const foot = [
    ...noticeLines(closed ?? notice, size).map(
      (text): Line => [{ text, tone: closed === undefined ? undefined : "bad" }],
    ),
    reason === undefined ? keys : editedLine("Reason (Enter: reject, Esc: cancel): ", reason, size.columns),
  ];
  return framed([head, "", ...all.slice(top, last)], foot, size.rows);
}

/** Always the same number of lines, so that the lines above do not move. */
function noticeLines(notice: string, { columns }: Size): string[] {
  const [first = "", second = "", ...rest] = wrapped(visible(notice), columns);
  return [first, rest.length > 0 ? clip(second + rest.join(""), columns) : second];
}

function framed(body: Line[], foot: Line[], rows: number): Line[] {
  const shown = body.slice(0, Math.max(0, rows - foot.length));
  const blank = Array.from({ length: Math.max(0, rows - foot.length - shown.length) }, () => "");
  return [...shown, ...blank, ...foot];
}

function columnsOf(rows: (string | Toned)[][]): Line[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => width(plain([row[column] ?? ""])))),
  );
  return rows.map((row) =>
    row.flatMap((cell, column): (string | Toned)[] => {
      const blanks = " ".repeat(Math.max(0, (widths[column] ?? 0) - width(plain([cell]))) + 2);
      return [cell, blanks];
    }),
  );
}
