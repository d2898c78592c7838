// A simulated terminal: keys go in, and what a person would see comes out, as a transcript and as a screen.

import { PassThrough, Writable } from "node:stream";
import { run } from "../../src/cli/run.ts";
import type { Tty } from "../../src/cli/terminal/terminal.ts";
import type { CliResult } from "./cli.ts";

export interface FakeTty extends Tty {
  /** Whether the terminal is in raw mode now. */
  isRaw(): boolean;
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  /** Everything that was written to it. */
  text(): string;
  /** The current lines of a full screen. */
  screen(): string[];
  /** Resolves as soon as the condition holds; rejects, with the terminal's content, if it never does. */
  until(condition: (tty: FakeTty) => boolean): Promise<void>;
}

const LONGEST_MS = 10_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is how a line is put in its place
const LINE = /\x1b\[(\d+);1H\x1b\[2K([^\x1b]*)/g;

export function createFakeTty(columns = 80, rows = 24): FakeTty {
  let written = "";
  let raw = false;
  let lines: string[] = [];
  let isChecking = false;
  const waiting = new Set<() => void>();

  const output = Object.assign(
    new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        written += chunk;
        for (const [, row, line] of chunk.matchAll(LINE)) lines[Number(row) - 1] = line ?? "";
        done();
        if (isChecking) return;
        isChecking = true;
        // Once for many writes: a long text arrives line by line.
        setImmediate(() => {
          isChecking = false;
          for (const check of [...waiting]) check();
        });
      },
    }),
    { columns, rows },
  );
  const input = Object.assign(new PassThrough(), {
    setRawMode(on: boolean) {
      raw = on;
    },
  });
  const tty: FakeTty = {
    input,
    output,
    isRaw: () => raw,
    type: (keys) => void input.write(keys),
    resize(columns, rows) {
      lines = [];
      Object.assign(output, { columns, rows });
      output.emit("resize");
    },
    text: () => written,
    screen: () => lines.slice(0, output.rows),
    until: (condition) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!condition(tty)) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve();
        };
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`this never came; the terminal has:\n${lines.join("\n") || written}`));
        }, LONGEST_MS);
        waiting.add(check);
        check();
      }),
  };
  return tty;
}

/** nexusctl inside this process, with the terminal as its stdin and stdout. */
export async function runAtTty(
  args: string[],
  tty: FakeTty,
  signal: AbortSignal = new AbortController().signal,
  env: Record<string, string> = {},
): Promise<CliResult> {
  let stderr = "";
  const code = await run(args, {
    stdout: tty.output,
    stderr: new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        stderr += chunk;
        done();
      },
    }),
    stdin: tty.input,
    tty,
    env,
    terminal: { columns: tty.output.columns },
    signal,
  });
  return { code, stdout: tty.text(), stderr };
}
