// Where log lines go: a file descriptor that never blocks the event loop, even if nobody reads it.

import { constants, fstatSync, openSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { isatty } from "node:tty";

/** Takes whole lines, each with its line break. */
export interface LogDestination {
  write(line: string): void;
  /** How many lines were dropped so far, because they were not read. */
  dropped?(): number;
  /** Has this called when lines get through again, with how many were dropped meanwhile. */
  whenItFlows?(report: (dropped: number) => void): void;
}

/** A burst may be longer than a pipe's buffer; a reader that has stopped costs this much memory. */
const MOST_WAITING_BYTES = 256 * 1024;
const TRY_AGAIN_MS = 100;
/** At the exit the last lines say why: a reader that is only slow gets this long. */
const LAST_WAIT_MS = 200;
const LAST_STEP_MS = 5;

/**
 * Writes each line at once, so that none is lost when the process dies. While a pipe, a socket or a terminal is full,
 * at most 256 KiB of lines wait, and further ones are dropped and counted: logging must not stop the daemon.
 */
export function fdDestination(inheritedFd: number): LogDestination {
  const fd = withoutBlocking(inheritedFd);
  const waiting: Buffer[] = [];
  let waitingBytes = 0;
  let droppedNow = 0;
  let droppedBefore = 0;
  let timer: NodeJS.Timeout | undefined;
  let report: (dropped: number) => void = () => {};

  const flush = () => {
    for (let line = waiting[0]; line; line = waiting[0]) {
      const rest = writeWhatFits(fd, line);
      if (rest === "lost") droppedNow += 1;
      else if (rest.length > 0) {
        waitingBytes -= line.length - rest.length;
        waiting[0] = rest; // a partial line is completed before anything else
        return;
      }
      waitingBytes -= line.length;
      waiting.shift();
    }
  };
  const tryAgain = () => {
    timer = undefined;
    flush();
    if (waiting.length > 0) return tryLater();
    if (droppedNow === 0) return;
    const dropped = droppedNow;
    droppedBefore += dropped;
    droppedNow = 0;
    report(dropped);
  };
  const tryLater = () => {
    if (!timer) timer = setTimeout(tryAgain, TRY_AGAIN_MS).unref();
  };
  // Once one was dropped, all are, until those before it are out: the report appears where they would have been.
  const isFull = (line: Buffer) => droppedNow > 0 || waitingBytes + line.length > MOST_WAITING_BYTES;

  process.once("exit", () => {
    for (let waited = 0; ; waited += LAST_STEP_MS) {
      flush();
      if (waiting.length === 0 || waited >= LAST_WAIT_MS) return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_STEP_MS);
    }
  });

  return {
    write(text) {
      const line = Buffer.from(text);
      if (waiting.length > 0 && isFull(line)) {
        droppedNow += 1;
        return tryLater();
      }
      waiting.push(line);
      waitingBytes += line.length;
      flush();
      if (waiting.length > 0 || droppedNow > 0) tryLater();
    },
    dropped: () => droppedBefore + droppedNow,
    whenItFlows(then) {
      report = then;
    },
  };
}

/** @returns what is left of it; `lost`: it can never be written (the reader is gone, the disk is full) */
function writeWhatFits(fd: number, line: Buffer): Buffer | "lost" {
  let rest = line;
  while (rest.length > 0)
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      return error instanceof Error && "code" in error && error.code === "EAGAIN" ? rest : "lost";
    }
  return rest;
}

/** What was made not to block stays so as long as this is held. */
const held: Socket[] = [];

/** The same file, or an own descriptor of it, whose writes fail with EAGAIN instead of waiting for a reader. */
function withoutBlocking(fd: number): number {
  const stats = fstatSync(fd);
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  if (stats.isFIFO() || isatty(fd))
    try {
      // Reopened: other processes with the same pipe or terminal are not affected.
      return openSync(`/dev/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    } catch {
      // For example another user's. A terminal is left as it is: the shell uses it, too.
    }
  // A socket, the journal's too, cannot be opened anew. Node.js has no other way to say that it must not block.
  if (stats.isFIFO() || stats.isSocket()) held.push(new Socket({ fd, readable: false, writable: true }));
  return fd;
}
