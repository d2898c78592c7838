// The process around nexusctl: its streams, signals and exit code.

import type { Io } from "./terminal/output.ts";

/** Aborts at SIGINT, SIGTERM and SIGHUP. */
function catchSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

function watchStreams(): void {
  // Whoever read the output has enough of it (`| head`): that is the end of the work, and no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`nexusctl: cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => {});
}

/** Runs one command line to the end of the process. */
export async function runProcess(run: (argv: string[], io: Io) => Promise<number>): Promise<never> {
  const signal = catchSignals();
  watchStreams();
  const io: Io = {
    stdout: process.stdout,
    stderr: process.stderr,
    // Opened only by a command that reads it: a stream that nobody reads would still be set up.
    get stdin() {
      return process.stdin;
    },
    get tty() {
      const { isatty } = process.getBuiltinModule("node:tty");
      return isatty(0) && isatty(1) ? { input: process.stdin, output: process.stdout } : undefined;
    },
    env: process.env,
    terminal: process.stdout.isTTY ? { columns: process.stdout.columns || 80 } : undefined,
    signal,
  };
  process.exitCode = await run(process.argv.slice(2), io);
  // What is still on its way into a pipe would be lost by process.exit().
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  // Not only an end by itself: a job file that doctor has loaded may have left a timer, which nobody else can stop.
  process.exit();
}

/** The MCP server: it has stdin and stdout for itself. */
export async function serveProcess(serve: (signal: AbortSignal) => Promise<never>): Promise<never> {
  const signal = catchSignals();
  watchStreams();
  return await serve(signal);
}
