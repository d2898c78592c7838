// Log lines in the format of systemd's journal on stderr: sd-daemon(3), "<N>" and systemd.exec(5), JOURNAL_STREAM.

import { fstatSync } from "node:fs";
import { visible, visibleJson } from "../core/text/visible.ts";

/** Whether file descriptor `fd` is the journal stream that systemd announced, and was not redirected since. */
export function isJournalStream(env: Readonly<Record<string, string | undefined>>, fd: number): boolean {
  const announced = env.JOURNAL_STREAM;
  if (!announced) return false;
  try {
    const { dev, ino } = fstatSync(fd, { bigint: true });
    return announced === `${dev}:${ino}`;
  } catch {
    return false;
  }
}

const PRIORITY: Record<string, number> = { fatal: 2, error: 3, warn: 4, info: 6, debug: 7, trace: 7 };
const INFO = 6;

/** One line: priority, the message, then the structured data as JSON. The journal adds time and unit. */
export function toJournal(record: Record<string, unknown>): string {
  const { level, time: _time, msg, ...data } = record;
  const words = typeof msg === "string" ? visible(msg) : "";
  const facts = Object.keys(data).length > 0 ? visibleJson(JSON.stringify(data)) : "";
  const priority = PRIORITY[String(level)] ?? INFO;
  return `<${priority}>${[words, facts].filter((part) => part !== "").join(" ")}`;
}
