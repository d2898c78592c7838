// The process around nexusctl: its streams, signals and exit code.

import { isatty } from "node:tty";
import { plainStart } from "./mcp-plain.ts";
import type { Io } from "./terminal/output.ts";

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());

// Whoever read the output has enough of it (`| head`): that is the end of the work, and no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`nexusctl: cannot write the output: ${error.message}\n`);
  process.exit(1);
});
process.stderr.on("error", () => {});

const argv = process.argv.slice(2);
const plain = plainStart(argv);
if (plain) {
  await import("../mcp/lean.ts");
  await (await import("./mcp-start.ts")).startPlain(plain, process.env, stop.signal);
}

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  // Opened only by a command that reads it: a stream that nobody reads would still be set up.
  get stdin() {
    return process.stdin;
  },
  get tty() {
    return isatty(0) && isatty(1) ? { input: process.stdin, output: process.stdout } : undefined;
  },
  env: process.env,
  terminal: process.stdout.isTTY ? { columns: process.stdout.columns || 80 } : undefined,
  signal: stop.signal,
};

const { run } = await import("./run.ts");
process.exitCode = await run(argv, io);
// What is still on its way into a pipe would be lost by process.exit().
for (const stream of [process.stdout, process.stderr])
  await new Promise<void>((resolve) => stream.write("", () => resolve()));
// Not only an end by itself: a job file that doctor has loaded may have left a timer, which nobody else can stop.
process.exit();
