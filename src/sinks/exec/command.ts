// One run of a command, in its own process group: bounded in time and output, and never left behind.

import { type ChildProcess, spawn } from "node:child_process";
import type { Clock } from "../../core/clock.ts";

export interface CommandOptions {
  command: readonly string[];
  directory: string | undefined;
  env: Readonly<Record<string, string>>;
  /** For its standard input, which is closed behind it. */
  input: string;
  timeoutMs: number;
  clock: Pick<Clock, "after">;
  /** Ends the command: SIGTERM, and SIGKILL to what is still there after `ABORT_GRACE_MS`. */
  signal: AbortSignal;
}

export type Ending =
  | { kind: "exited"; status: number }
  | { kind: "killed"; signal: string }
  | { kind: "timeout" }
  | { kind: "aborted" }
  /** It was never started; `code` is the system's, such as ENOENT. */
  | { kind: "unstarted"; code: string };

export interface Ran {
  ending: Ending;
  /** The last of what it wrote, as it came. */
  stdout: string;
  stderr: string;
}

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 5000;
/** The same where nexusd stops, which has 5 s for all of it. */
const ABORT_GRACE_MS = 1500;
/** How long to wait for its pipes to close: what it left behind may hold them. */
const PIPES_MS = 50;
/** Between two looks at what a command has left behind. */
const LOOK_MS = 25;
const TAIL_BYTES = 4096;

/** Never rejects. Resolves when the command has ended, and with it its process group. */
export function runCommand(options: CommandOptions): Promise<Ran> {
  const { command, directory, env, input, timeoutMs, clock, signal } = options;
  const [program = "", ...args] = command;
  if (signal.aborted) return Promise.resolve({ ending: { kind: "aborted" }, stdout: "", stderr: "" });
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(program, args, { cwd: directory, env, detached: true, stdio: "pipe" });
    } catch (error) {
      return resolve({ ending: { kind: "unstarted", code: codeOf(error) }, stdout: "", stderr: "" });
    }
    const stdout = keepTail(child.stdout);
    const stderr = keepTail(child.stderr);
    /** Why nexusd terminated it, if it did. */
    let endedFor: "timeout" | "aborted" | undefined;
    const timers = new Set<() => void>();
    const later = (ms: number, work: () => void): void => void timers.add(clock.after(ms, work));

    const finish = (ending: Ending) => {
      signal.removeEventListener("abort", onAbort);
      for (const cancel of timers) cancel();
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
      resolve({ ending, stdout: stdout(), stderr: stderr() });
    };
    let isKilled = false;
    const killIn = (ms: number) =>
      later(ms, () => {
        isKilled = true;
        killGroup(child.pid, "SIGKILL");
      });
    const end = (why: "timeout" | "aborted", graceMs: number) => {
      endedFor ??= why;
      killGroup(child.pid, "SIGTERM");
      killIn(graceMs);
    };
    const onAbort = () => end("aborted", ABORT_GRACE_MS);
    signal.addEventListener("abort", onAbort, { once: true });
    later(timeoutMs, () => end("timeout", GRACE_MS));

    child.once("error", (error) => {
      // Others, such as a signal that could not be sent, are no ending.
      if (child.pid === undefined) finish({ kind: "unstarted", code: codeOf(error) });
    });
    child.once("exit", (status, killedBy) => {
      const ending: Ending = endedFor
        ? { kind: endedFor }
        : killedBy !== null
          ? { kind: "killed", signal: killedBy }
          : { kind: "exited", status: status ?? 0 };
      // Processes that it left in its group are terminated with it, so that there are never two at once.
      if (!killGroup(child.pid, "SIGTERM")) return later(PIPES_MS, () => finish(ending));
      if (!endedFor) killIn(GRACE_MS);
      const look = (): void => (killGroup(child.pid, 0) && !isKilled ? later(LOOK_MS, look) : finish(ending));
      look();
    });
    // A command need not read it.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** @returns whether there was anybody to be sent it */
function killGroup(leader: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (leader === undefined) return false;
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** Reads on without end, so that the command never blocks. @returns a function that returns the last part */
function keepTail(stream: NodeJS.ReadableStream | null): () => string {
  let tail = Buffer.alloc(0);
  stream?.on("data", (chunk: Buffer) => {
    tail = Buffer.concat([tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
  });
  stream?.on("error", () => {});
  return () => tail.toString("utf8");
}

const codeOf = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]+$/.test(code) ? code : "unknown error";
};
