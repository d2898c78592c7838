// A person's terminal in raw mode: keys in, text out. Its state is restored, however the command ends.

import type { Readable, Writable } from "node:stream";

/** The two ends of a terminal, as Node.js provides them. */
export interface Tty {
  input: Readable & { setRawMode(on: boolean): unknown };
  output: Writable & { columns: number; rows: number };
}

export interface Size {
  columns: number;
  rows: number;
}

/** "a", "é", or the name of a key: "up", "enter", "escape", "ctrl-c"; "gone" if the terminal no longer exists. */
export type Key = string;

interface Terminal {
  size(): Size;
  write(text: string): void;
  /** Replaces the whole screen. Lines must be printable and no wider than it; surplus lines are dropped. */
  draw(lines: string[]): void;
  /** Idempotent. No key is reported after it. */
  close(): void;
}

// An escape sequence may arrive in two parts; anything later than this is another key.
const ESCAPE_PART_MS = 50;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
const UNFINISHED = /\x1b(?:[[O][0-9;]*)?$/u;

const FULL_SCREEN = "\x1b[?1049h\x1b[?7l\x1b[?25l"; // the alternate screen, no line wrap, no cursor
const NORMAL_SCREEN = "\x1b[?25h\x1b[?7h\x1b[?1049l";

/** Takes over the terminal. `close` restores it, and so does any end of the process. */
export function openTerminal(
  { input, output }: Tty,
  on: { key(key: Key): void; resize?(): void; fullScreen: boolean },
): Terminal {
  let isOpen = true;
  let pending = "";
  let timer: NodeJS.Timeout | undefined;

  const report = (text: string) => {
    for (const key of keysOf(text)) if (isOpen) on.key(key);
  };
  const onData = (chunk: string | Buffer) => {
    clearTimeout(timer);
    const text = pending + chunk;
    pending = UNFINISHED.exec(text)?.[0] ?? "";
    report(text.slice(0, text.length - pending.length));
    if (pending)
      timer = setTimeout(() => {
        const rest = pending;
        pending = "";
        report(rest);
      }, ESCAPE_PART_MS);
  };
  const onGone = () => isOpen && on.key("gone");
  const onResize = () => isOpen && on.resize?.();

  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    clearTimeout(timer);
    process.off("exit", close);
    output.off("resize", onResize);
    input.off("data", onData);
    // The error listener stays: a terminal that hung up may still report an error.
    input.off("end", onGone);
    input.pause();
    if (on.fullScreen) output.write(NORMAL_SCREEN);
    try {
      input.setRawMode(false);
    } catch {
      // It is gone; nothing is left to restore.
    }
  };

  process.on("exit", close);
  input.setEncoding("utf8");
  input.setRawMode(true);
  input.on("data", onData).on("end", onGone).on("error", onGone);
  input.resume();
  output.on("resize", onResize);
  if (on.fullScreen) output.write(FULL_SCREEN);

  const size = () => ({ columns: output.columns || 80, rows: output.rows || 24 });
  return {
    size,
    close,
    write: (text) => void output.write(text),
    draw(lines) {
      const { rows } = size();
      // Each line is positioned separately: one that turns out wider than expected cannot push the next one down.
      const frame = Array.from({ length: rows }, (_, row) => `\x1b[${row + 1};1H\x1b[2K${lines[row] ?? ""}`);
      output.write(frame.join(""));
    },
  };
}

const NAMED: Record<string, Key> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x1b": "escape",
  "\x7f": "backspace",
  "\b": "backspace",
  "\x03": "ctrl-c",
  "\x04": "ctrl-d",
  "\x15": "ctrl-u",
  "\x1b[A": "up",
  "\x1b[B": "down",
  "\x1b[C": "right",
  "\x1b[D": "left",
  "\x1b[H": "home",
  "\x1b[F": "end",
  "\x1b[1~": "home",
  "\x1b[4~": "end",
  "\x1b[5~": "pageup",
  "\x1b[6~": "pagedown",
  "\x1bOA": "up",
  "\x1bOB": "down",
  "\x1bOC": "right",
  "\x1bOD": "left",
  "\x1bOH": "home",
  "\x1bOF": "end",
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
const KEY = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O[A-Z])|[\s\S]/gu;

/** The keys in the terminal's input. Unknown keys that are not characters are dropped. */
export function keysOf(text: string): Key[] {
  const keys: Key[] = [];
  for (const [part] of text.matchAll(KEY)) {
    const name = NAMED[part];
    if (name !== undefined) keys.push(name);
    else if (!/\p{Cc}/u.test(part)) keys.push(part);
  }
  return keys;
}
