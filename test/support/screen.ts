// A terminal emulator that draws what is written to it, like the common ones.

import xterm from "@xterm/headless";

export interface Screen {
  /** Resolves when it is drawn. */
  write(text: string): Promise<void>;
  /** Its current lines, without trailing blanks. */
  lines(): string[];
  /** From the first line and column, both 0; after the last output. */
  cursor(): { line: number; column: number };
}

export function createScreen(columns = 80, rows = 24): Screen {
  const terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
  const { active } = terminal.buffer;
  return {
    write: (text) => new Promise((resolve) => terminal.write(text, resolve)),
    lines: () =>
      Array.from(
        { length: rows },
        (_, row) => terminal.buffer.active.getLine(row)?.translateToString(true) ?? "",
      ),
    cursor: () => ({ line: active.cursorY, column: active.cursorX }),
  };
}
