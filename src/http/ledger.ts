// The used budget of a server, in a small file, so that a restarted nexusd knows it, even after a SIGKILL: what was
// written to a file survives the process without having reached the disk.
//
// The file has one number for each batch of requests (see sliding-window.ts): when the last of them ended, or Infinity
// while some are still to come or in progress. Times are those of `clock.monotonic()`, which counts from the start of
// the machine, so that no clock correction changes their meaning. What a start cannot know is assumed to be the worst
// case: an exchange that was in progress ends with that start; after a restart of the machine, all slots were in use
// until then; if the file cannot be read, they are in use until now. So no window ever holds more than the limit,
// however nexusd ended.

import { closeSync, constants, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Clock, readBootId } from "../core/clock.ts";

// A link in the data directory is not followed.
const { O_RDONLY, O_RDWR, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;

export interface Ledger {
  /** When each batch ended, for those that still count. */
  readonly ends: readonly number[];
  /** Until when nothing is sent; -Infinity: there is no such time. */
  readonly quietUntil: number;
  /** Records that a batch began (Infinity), before its first request goes out, or has ended. */
  write(place: number, endedAt: number): void;
  writeQuiet(untilMs: number): void;
  close(): void;
}

/** The first lines: the kind of file, and the machine start that its times count from. */
const HEADER_BYTES = 128;
const KIND = "nexusd request budget 1";
const header = (bootId: string, batch: number) => `${KIND}\n${bootId}\n${batch}\n`.padEnd(HEADER_BYTES, " ");
const NUMBER_BYTES = 8;
const FIRST_PLACE = HEADER_BYTES + NUMBER_BYTES;

/**
 * Opens or creates the file. Never throws: a file that cannot be used counts as unreadable.
 * @param options.limit how many requests the server accepts, if usage is unknown
 * @param options.batch how many requests each number stands for
 * @param options.onFailure called once, about what could not be read or written
 */
export function openLedger(options: {
  path: string;
  limit: number;
  batch: number;
  windowMs: number;
  clock: Pick<Clock, "monotonic">;
  onFailure: (error: unknown) => void;
  /** Identifies the start of the machine; default: Linux's boot id, elsewhere nothing. */
  bootId?: string;
}): Ledger {
  const { path, limit, batch, windowMs, clock, bootId = readBootId() } = options;
  const now = clock.monotonic();
  let hasFailed = false;
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!hasFailed) options.onFailure(error);
      hasFailed = true;
      return undefined;
    }
  };

  const allAt = (at: number) => ({
    ends: new Array<number>(Math.ceil(limit / batch)).fill(at),
    quietUntil: -Infinity,
  });
  const known = attempt(() => read(path, bootId, batch, now)) ?? "unknown";
  const { ends: all, quietUntil } =
    known === "unknown" ? allAt(now) : known === "earlier boot" ? allAt(Math.min(0, now)) : known;
  const ends = all.filter((at) => at + windowMs > now);

  const file = attempt(() => create(path, header(bootId, batch), [quietUntil, ...ends]));
  const buffer = Buffer.alloc(NUMBER_BYTES);
  const writeAt = (offset: number, value: number) => {
    if (file === undefined) return;
    buffer.writeDoubleLE(value);
    attempt(() => writeSync(file, buffer, 0, NUMBER_BYTES, offset));
  };

  return {
    ends,
    quietUntil,
    write: (place, endedAt) => writeAt(FIRST_PLACE + place * NUMBER_BYTES, endedAt),
    writeQuiet: (untilMs) => writeAt(HEADER_BYTES, untilMs),
    close() {
      if (file !== undefined) attempt(() => closeSync(file));
    },
  };
}

type Known = { ends: number[]; quietUntil: number } | "unknown" | "earlier boot";

/** @throws if the file exists and cannot be read */
function read(path: string, bootId: string, batch: number, now: number): Known {
  let bytes: Buffer;
  try {
    const file = openSync(path, O_RDONLY | O_NOFOLLOW);
    bytes = readFileSync(file);
    closeSync(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return { ends: [], quietUntil: -Infinity };
    throw error;
  }
  const [kind, boot, before = ""] = bytes.subarray(0, HEADER_BYTES).toString().split("\n");
  if (kind !== KIND || bytes.length < FIRST_PLACE || bytes.length % NUMBER_BYTES !== 0) return "unknown";
  // If the system does not identify its starts, a time in the future reveals an earlier one.
  if (boot !== bootId) return "earlier boot";
  const quietUntil = bytes.readDoubleLE(HEADER_BYTES);
  // Files of earlier versions do not say it. With another limit, each number stands for as many requests as then, or
  // more.
  const times = Math.ceil((Number.parseInt(before, 10) || 1) / batch);
  const ends: number[] = [];
  for (let at = FIRST_PLACE; at < bytes.length; at += NUMBER_BYTES) {
    const endedAt = bytes.readDoubleLE(at);
    // Infinity: in progress when nexusd ended; its request reached the server before now.
    const isUnderWay = endedAt === Number.POSITIVE_INFINITY;
    // A time in the future belongs to another start of the machine, on a system that does not identify them.
    if (!isUnderWay && !(endedAt <= now)) return Number.isNaN(endedAt) ? "unknown" : "earlier boot";
    for (let n = 0; n < times; n++) ends.push(isUnderWay ? now : endedAt);
  }
  return { ends, quietUntil: Number.isNaN(quietUntil) ? -Infinity : quietUntil };
}

/** On disk before anything is sent: after a loss of power, the file must say that it is from an earlier start. */
function create(path: string, head: string, numbers: number[]): number {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const bytes = Buffer.alloc(HEADER_BYTES + numbers.length * NUMBER_BYTES);
  bytes.write(head);
  for (const [index, value] of numbers.entries())
    bytes.writeDoubleLE(value, HEADER_BYTES + index * NUMBER_BYTES);
  const file = openSync(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  writeSync(file, bytes);
  fsyncSync(file);
  const parent = openSync(directory, O_RDONLY);
  fsyncSync(parent);
  closeSync(parent);
  return file;
}
