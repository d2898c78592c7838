// Editing one line of text in a terminal.

import { clip, visible, width } from "../../core/text/visible.ts";
import { type Key, openTerminal, type Tty } from "./terminal.ts";

/** The text after a key; null: the person cancelled. */
export type Edited = { text: string; isDone: boolean } | null;

/** Applies a key to the text. Only characters get into it. */
export function edit(text: string, key: Key): Edited {
  switch (key) {
    case "enter":
      return { text, isDone: true };
    case "escape":
    case "ctrl-c":
    case "ctrl-d":
    case "gone":
      return null;
    case "backspace":
      return { text: [...text].slice(0, -1).join(""), isDone: false };
    case "ctrl-u":
      return { text: "", isDone: false };
  }
  return { text: [...key].length === 1 ? text + key : text, isDone: false };
}

/** The prompt and the end of the text, in at most `columns`. */
export function editedLine(prompt: string, text: string, columns: number): string {
  const room = Math.max(4, columns - width(prompt) - 1);
  let tail = "";
  let used = 0;
  for (const char of [...visible(text)].reverse()) {
    used += width(char);
    if (used > room) break;
    tail = char + tail;
  }
  return clip(prompt + tail, columns - 1);
}

/** How long the subject must be on the screen, without a key press, before the question appears. */
const SETTLE_MS = 500;

/**
 * Asks on a separate line. Input from before the question appeared is discarded: it cannot be an answer. A held key, or
 * continued typing, delays the question.
 * @returns undefined if the question was left with Ctrl-C, Ctrl-D or Escape, or the terminal is gone
 * @throws the signal's reason
 */
export function ask(tty: Tty, question: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = "";
    let isAsked = false;
    const show = () => terminal.write(`\r\x1b[2K${editedLine(question, text, terminal.size().columns)}`);
    const end = (finish: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      if (isAsked) terminal.write("\r\n");
      terminal.close();
      finish();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const terminal = openTerminal(tty, {
      fullScreen: false,
      resize: () => isAsked && show(),
      key(key) {
        if (!isAsked && key !== "ctrl-c" && key !== "gone") return void timer.refresh();
        const edited = edit(text, key);
        if (edited === null) return end(() => resolve(undefined));
        text = edited.text;
        if (edited.isDone) return end(() => resolve(text));
        show();
      },
    });
    const timer = setTimeout(() => {
      isAsked = true;
      show();
    }, SETTLE_MS);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
