// nexusctl writes watch: an inbox that stays open, to review and decide proposals as they arrive.

import type { WriteStep } from "../../contract/new-event.ts";
import type { WriteSummary } from "../../contract/writes.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { clip } from "../../core/text/visible.ts";
import type { CliContext } from "../context.ts";
import { WrongUsage } from "../problem.ts";
import { type Line, type Paint, painted, painterFor } from "../terminal/colour.ts";
import { openTerminal, type Size } from "../terminal/terminal.ts";
import { keepInbox } from "./inbox.ts";
import { shortId } from "./preview-view.ts";
import { createKeys } from "./watch-keys.ts";
import { type Inbox, type Opened, openedLines, openedRoom, screen, selectedIndex } from "./watch-screen.ts";

/** Below this, a line of a write and its frame do not fit. */
const LEAST_ROWS = 6;
/** How long, and how many, decided proposals stay in the list. */
const GONE_SHOWN_MS = 30_000;
const MOST_GONE = 3;
const BELL = "\x07";
/** Keeps the ages on the screen current. */
const REDRAW_MS = 5000;

/**
 * Runs until `q`, a signal, or the end of the terminal, which is restored in any case.
 * @throws WrongUsage without a terminal; what `keepInbox` throws
 */
export async function watch(
  context: CliContext,
  { bell = true }: { bell?: boolean } = {},
  clock: Clock = systemClock,
): Promise<void> {
  const { io, output } = context;
  const tty = output.isHuman ? io.tty : undefined;
  if (!tty)
    throw new WrongUsage(
      "writes watch needs a terminal. Without one: nexusctl events --follow --type write.proposed, and nexusctl writes approve ID --yes --digest DIGEST.",
    );

  const inbox: Inbox = {
    ...{ isRead: false, writes: [], gone: [] },
    ...{ selected: undefined, opened: undefined, notice: "" },
  };
  const paint = painterFor(io.env);
  const quit = new AbortController();
  const signal = AbortSignal.any([io.signal, quit.signal]);
  let failure: unknown;
  const onKey = createKeys(context, inbox, clock, () => draw());

  const terminal = openTerminal(tty, {
    fullScreen: true,
    resize: () => draw(),
    key(key) {
      if (key === "gone" || key === "ctrl-c" || (key === "q" && inbox.opened?.reason === undefined))
        return quit.abort();
      onKey(key, terminal.size()).catch(stop);
      draw();
    },
  });
  const stop = (error: unknown) => {
    failure ??= error;
    quit.abort();
  };
  const draw = () => {
    if (signal.aborted) return;
    markSeen(inbox.opened, terminal.size(), clock);
    inbox.gone = inbox.gone.filter(({ until }) => until > clock.monotonic());
    const size = terminal.size();
    terminal.draw(screen(inbox, size, clock.now()).map((line) => fitted(line, size.columns, paint)));
  };

  try {
    draw();
    void redrawNowAndThen(draw, clock, signal);
    await keepInbox(context, {
      clock,
      signal,
      onWrites(writes) {
        const isGone = !writes.some(({ id }) => id === inbox.selected);
        // The one that moved up into its place.
        if (isGone) inbox.selected = (writes[selectedIndex(inbox)] ?? writes.at(-1))?.id;
        if (bell && inbox.isRead && hasNew(inbox.writes, writes)) terminal.write(BELL);
        inbox.isRead = true;
        inbox.writes = writes;
        draw();
      },
      onStep(step) {
        inbox.notice = stepNotice(step);
        const write = inbox.writes.find(({ id }) => id === step.writeId);
        const until = clock.monotonic() + GONE_SHOWN_MS;
        if (write && step.state !== "proposed")
          inbox.gone = [...inbox.gone, { write, state: step.state, by: whoOf(step), until }].slice(
            -MOST_GONE,
          );
        if (inbox.opened?.write.id === step.writeId && !inbox.opened.closed)
          inbox.opened.closed = `No longer open: ${stepNotice(step)}`;
        draw();
      },
      onNote(text) {
        inbox.notice = text;
        draw();
      },
    });
  } catch (error) {
    // A request in progress when the person quit is not a failure.
    if (!signal.aborted) throw error;
  } finally {
    quit.abort();
    terminal.close();
  }
  if (failure !== undefined) throw failure;
}

/** Typed text keeps its trailing blanks. */
const fitted = (line: Line, columns: number, paint: Paint | undefined): string =>
  typeof line === "string" ? clip(line, columns) : painted(line, columns, paint);

async function redrawNowAndThen(draw: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(REDRAW_MS, signal).catch(() => {});
    draw();
  }
}

/** The end of the open write counts as read once it is on the screen, if the screen is large enough. */
function markSeen(opened: Opened | undefined, size: Size, clock: Clock): void {
  if (!opened || opened.seenAt !== undefined || size.rows < LEAST_ROWS) return;
  if (opened.top + openedRoom(size) >= openedLines(opened, size).length) opened.seenAt = clock.monotonic();
}

/** Whether a proposal was added, whatever was removed meanwhile. */
function hasNew(before: readonly WriteSummary[], now: readonly WriteSummary[]): boolean {
  const known = new Set(before.map(({ id }) => id));
  return now.some(({ id }) => !known.has(id));
}

/** "by alice", "by the signature of alice"; empty: unknown. */
function whoOf({ actor }: WriteStep): string {
  if (actor?.signer) return `by the signature of ${actor.signer}`;
  if (actor?.door === "agent.sock") return "by an agent";
  return actor?.user ? `by ${actor.user}` : "";
}

const stepNotice = (step: WriteStep): string => {
  const { writeId, operation, state, note, error } = step;
  const why = error ? `: ${error.code}: ${error.message}` : note ? `: ${note}` : "";
  return [operation, shortId(writeId), state, whoOf(step)].filter(Boolean).join(" ") + why;
};
