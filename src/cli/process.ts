// The process around nexusctl: its streams, signals and exit code.

import type { Io } from "./terminal/output.ts";

/** Aborts at SIGINT, SIGTERM and SIGHUP. */
function catchSignals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

function watchStreams(): void {
  // The reader of the output has closed it (`| head`): stop, but this is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    process.stderr.write(`nexusctl: cannot write the output: ${error.message}\n`);
    process.exit(1);
  });
  process.stderr.on("error", () => {});
}

/** Runs one command line and ends the process. */
export async function runProcess(run: (argv: string[], io: Io) => Promise<number>): Promise<never> {
  const signal = catchSignals();
  watchStreams();
  const io: Io = {
    stdout: process.stdout,
    stderr: process.stderr,
    // Opened only by a command that reads it: setting up a stream costs time.
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
  // process.exit() would lose output that is still on its way into a pipe.
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write("", () => resolve()));
  // Exit explicitly: a job file that doctor has loaded may have left a timer that nothing else can stop.
  process.exit();
}

/** The MCP server: stdin and stdout are its own. */
export async function serveProcess(serve: (signal: AbortSignal) => Promise<never>): Promise<never> {
  const signal = catchSignals();
  watchStreams();
  return await serve(signal);
}
