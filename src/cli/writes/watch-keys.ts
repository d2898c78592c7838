// The keys of `nexusctl writes watch`.

import { NexusdError } from "../../client/error.ts";
import type { Clock } from "../../core/clock.ts";
import type { CliContext } from "../context.ts";
import { edit } from "../terminal/line-editor.ts";
import type { Key, Size } from "../terminal/terminal.ts";
import { approveShown, fetchShown } from "./approve.ts";
import { shortId, stateOf } from "./preview-view.ts";
import {
  type Inbox,
  listWindow,
  type Opened,
  openedLines,
  openedRoom,
  selectedIndex,
} from "./watch-screen.ts";

/** A key approves only if the end of the write had been on the screen for this long. */
const LOOK_MS = 500;
/** A key repeated within this time counts as held. The first repetition is the slowest: up to a second by default. */
const REPEAT_MS = 1200;

const TOO_EARLY = "Nothing was approved. Read it, let go of the key, and press a again after a moment.";

/** What each key does to the inbox. During a request to the daemon, keys are ignored. */
export function createKeys(
  context: CliContext,
  inbox: Inbox,
  clock: Clock,
  draw: () => void,
): (key: Key, size: Size) => Promise<void> {
  let isBusy = false;

  /** A refusal is shown on the screen; any other error ends the watch. */
  const ask = async (work: () => Promise<void>) => {
    isBusy = true;
    try {
      await work();
    } catch (error) {
      if (!(error instanceof NexusdError)) throw error;
      inbox.notice = `${error.problem.detail} (${error.problem.code})`;
    } finally {
      isBusy = false;
    }
    draw();
  };

  const open = (id: string) =>
    ask(async () => {
      inbox.notice = "";
      const write = await fetchShown(context, id);
      const closed = write.state === "proposed" ? undefined : `No longer open: ${stateOf(write)}`;
      inbox.opened = { write, top: 0, seenAt: undefined, closed, reason: undefined };
    });

  const approve = ({ write }: Opened) =>
    ask(async () => {
      await approveShown(context, write.id, write.digest);
      inbox.opened = undefined;
      inbox.notice = `approved ${write.operation} ${shortId(write.id)}`;
    });

  const reject = ({ write }: Opened, reason: string) =>
    ask(async () => {
      await context.client.writes.reject(write.id, reason, { signal: context.io.signal });
      inbox.opened = undefined;
      inbox.notice = `rejected ${write.operation} ${shortId(write.id)}`;
    });

  const inList = async (key: Key, size: Size) => {
    const { writes } = inbox;
    const at = selectedIndex(inbox);
    const { top, room } = listWindow(inbox, size);
    const to = (index: number) => {
      inbox.selected = writes[Math.max(0, Math.min(index, writes.length - 1))]?.id;
    };
    if (/^[1-9]$/.test(key)) {
      const write = Number(key) <= room ? writes[top + Number(key) - 1] : undefined;
      if (!write) return;
      inbox.selected = write.id;
      return await open(write.id);
    }
    const selected = writes[at];
    if ((key === "enter" || key === "right") && selected) return await open(selected.id);
    if (key === "up" || key === "k") to(at - 1);
    if (key === "down" || key === "j") to(at + 1);
    if (key === "pageup") to(at - room);
    if (key === "pagedown") to(at + room);
    if (key === "home") to(0);
    if (key === "end") to(writes.length - 1);
  };

  const inOpened = async (opened: Opened, key: Key, size: Size, isHeld: boolean) => {
    const room = openedRoom(size);
    const lines = openedLines(opened, size).length;
    const to = (top: number) => {
      opened.top = Math.max(0, Math.min(top, lines - room));
    };
    switch (key) {
      case "escape":
      case "left":
      case "backspace":
        inbox.opened = undefined;
        return;
      case "up":
      case "k":
        return to(opened.top - 1);
      case "down":
      case "j":
      case "enter":
        return to(opened.top + 1);
      case "pageup":
      case "b":
        return to(opened.top - room);
      case "pagedown":
      case " ":
        return to(opened.top + room);
      case "home":
        return to(0);
      case "end":
        return to(lines);
    }
    if (opened.closed) return;
    if (key === "r") opened.reason = "";
    const { seenAt } = opened;
    if (key !== "a" || seenAt === undefined) return;
    if (isHeld || clock.monotonic() - seenAt < LOOK_MS) inbox.notice = TOO_EARLY;
    else await approve(opened);
  };

  const inReason = async (opened: Opened, text: string, key: Key) => {
    const edited = edit(text, key);
    opened.reason = edited?.isDone ? undefined : edited?.text;
    if (!edited?.isDone) return;
    if (edited.text.trim() === "") inbox.notice = "A rejection needs a reason: nothing was rejected.";
    else await reject(opened, edited.text);
  };

  let last = { key: "", at: Number.NEGATIVE_INFINITY };
  return async (key, size) => {
    const at = clock.monotonic();
    const isHeld = key === last.key && at - last.at < REPEAT_MS;
    last = { key, at };
    if (isBusy) return;
    const { opened } = inbox;
    if (!opened) return await inList(key, size);
    if (opened.reason !== undefined) return await inReason(opened, opened.reason, key);
    await inOpened(opened, key, size, isHeld);
  };
}
