// A person's terminal in raw mode: keys in, text out, and everything put back as it was, however the command ends.

import type { Readable, Writable } from "node:stream";

/** The two ends of a terminal, as Node.js gives them. */
export interface Tty {
  input: Readable & { setRawMode(on: boolean): unknown };
  output: Writable & { columns: number; rows: number };
}

export interface Size {
  columns: number;
  rows: number;
}

/** "a", "é", or the name of a key: "up", "enter", "escape", "ctrl-c"; "gone" when the terminal is no longer there. */
export type Key = string;

interface Terminal {
  size(): Size;
  write(text: string): void;
  /** Replaces the whole screen. The lines are visible already and no wider than it; those too many are left out. */
  draw(lines: string[]): void;
  /** Idempotent. After it no key is reported. */
  close(): void;
}

// A key that begins with an escape may arrive in two parts; what follows later than this is another key.
const ESCAPE_PART_MS = 50;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
const UNFINISHED = /\x1b(?:[[O][0-9;]*)?$/u;

const FULL_SCREEN = "\x1b[?1049h\x1b[?7l\x1b[?25l"; // the other screen, no wrapping at its edge, no cursor
const NORMAL_SCREEN = "\x1b[?25h\x1b[?7h\x1b[?1049l";

/** Takes the terminal over. `close` gives it back; so does the end of the process, whatever it is. */
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
    // The listener for errors stays: a terminal that hung up may still report it.
    input.off("end", onGone);
    input.pause();
    if (on.fullScreen) output.write(NORMAL_SCREEN);
    try {
      input.setRawMode(false);
    } catch {
      // It is gone, and there is nothing left to put back.
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
      // Each line at its own place: one that the terminal draws wider than we think cannot push the next one down.
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

/** The keys in what a terminal sent. A key that has no name here and is no character is left out. */
export function keysOf(text: string): Key[] {
  const keys: Key[] = [];
  for (const [part] of text.matchAll(KEY)) {
    const name = NAMED[part];
    if (name !== undefined) keys.push(name);
    else if (!/\p{Cc}/u.test(part)) keys.push(part);
  }
  return keys;
}
