// The output of nexusctl: JSON or tables on stdout, everything else for a person on stderr.

import type { Readable, Writable } from "node:stream";
import { pad, visible, visibleJson, width } from "../../core/text/visible.ts";
import { type Line, painted, painterFor, plain, type Toned } from "./colour.ts";
import type { Tty } from "./terminal.ts";

/** What a command gets from its process. */
export interface Io {
  stdout: Writable;
  stderr: Writable;
  /** Read only if requested, with `--input -`. */
  stdin: Readable;
  /** For questions: a terminal on both stdin and stdout. */
  tty: Tty | undefined;
  env: NodeJS.ProcessEnv;
  /** The terminal's width; undefined: stdout is not a terminal. */
  terminal: { columns: number } | undefined;
  /** Aborts at SIGINT, SIGTERM and SIGHUP. */
  signal: AbortSignal;
}

export interface Output {
  /** Whether stdout is for a person: a terminal, and no `--json`. */
  readonly isHuman: boolean;
  /** One line for a person; invisible characters must be replaced already. Resolves when the reader has taken it. */
  line(line: Line): Promise<void>;
  /** Text for a person, with invisible characters shown; a terminal wraps lines that are too long. */
  text(line: Line): Promise<void>;
  /** A JSON document as received, on one line if it came on one. */
  json(document: string): Promise<void>;
  /** Text that is safe for a terminal, byte for byte. */
  exactly(text: string): Promise<void>;
  /**
   * A table for a person: invisible characters are shown, columns aligned, the last one cut at the terminal's edge.
   * @returns which rows were cut, as indices
   */
  table(head: string[], rows: (string | number | null | undefined | Toned)[][]): Promise<number[]>;
  /** A remark for a person, always on stderr. */
  note(text: string): void;
}

export function createOutput(io: Io, asJson: boolean): Output {
  const columns = io.terminal?.columns ?? Number.POSITIVE_INFINITY;
  const isHuman = io.terminal !== undefined && !asJson;
  // Never into a pipe, whatever the environment says: the reader would take the colour codes for text.
  const paint = isHuman ? painterFor(io.env) : undefined;

  const write = (text: string) =>
    new Promise<void>((resolve, reject) => {
      if (io.stdout.write(text)) return resolve();
      const done = (error?: Error) => {
        io.stdout.off("drain", onDrain);
        io.stdout.off("close", onClose);
        io.signal.removeEventListener("abort", onAbort);
        error ? reject(error) : resolve();
      };
      const onDrain = () => done();
      const onClose = () => done(new Error("stdout was closed"));
      const onAbort = () => done(new Error("interrupted"));
      io.stdout.once("drain", onDrain);
      io.stdout.once("close", onClose);
      io.signal.addEventListener("abort", onAbort, { once: true });
    });

  const line = (line: Line) => write(`${painted(line, columns, paint)}\n`);

  return {
    isHuman,
    line,
    text: (line) => {
      const pieces = (typeof line === "string" ? [line] : line).map((piece) =>
        typeof piece === "string" ? visible(piece) : { ...piece, text: visible(piece.text) },
      );
      return write(`${painted(pieces, Number.POSITIVE_INFINITY, paint)}\n`);
    },
    json: (document) => write(`${io.terminal ? visibleJson(document) : document}\n`),
    exactly: write,
    note: (text) => io.stderr.write(`nexusctl: ${visible(text)}\n`),
    async table(head, rows) {
      const cells = [head, ...rows].map((row) =>
        row.map((cell): Toned => {
          const { text, tone } = typeof cell === "object" && cell ? cell : { text: cell, tone: undefined };
          return { text: visible(String(text ?? "-")), tone };
        }),
      );
      const widths = head.map((_, column) => Math.max(...cells.map((row) => width(row[column]?.text ?? ""))));
      const lines = cells.map((row) =>
        row.flatMap((cell, column) => {
          const blanks = pad(cell.text, widths[column] ?? 0).slice(cell.text.length);
          return column > 0 ? ["  ", cell, blanks] : [cell, blanks];
        }),
      );
      for (const one of lines) await line(one);
      return rows.flatMap((_, index) =>
        width(plain(lines[index + 1] ?? "").trimEnd()) > columns ? [index] : [],
      );
    },
  };
}

/** "3 s ago", "2 h ago", "in 40 s"; "never" for null. `at` is RFC 3339. */
export function age(at: string | null | undefined, nowMs = Date.now()): string {
  if (!at) return "never";
  const time = Date.parse(at);
  if (Number.isNaN(time)) return at;
  const seconds = Math.round(Math.abs(nowMs - time) / 1000);
  const [amount, unit] =
    seconds < 120
      ? [seconds, "s"]
      : seconds < 7200
        ? [Math.round(seconds / 60), "min"]
        : seconds < 172_800
          ? [Math.round(seconds / 3600), "h"]
          : [Math.round(seconds / 86_400), "d"];
  return time <= nowMs ? `${amount} ${unit} ago` : `in ${amount} ${unit}`;
}
