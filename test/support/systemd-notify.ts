// A program "systemd-notify" that records its arguments, in place of the one that notifies systemd.

import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export interface RecordedNotify {
  /** The environment that a process needs to use it. */
  env: { PATH: string; NOTIFY_SOCKET: string };
  /** The fields of each message, in order of arrival. */
  messages(): string[][];
  remove(): void;
}

/** @param before commands of sh that run first, such as "exit 1" */
export function recordNotify(before = ""): RecordedNotify {
  const directory = mkdtempSync(join(tmpdir(), "nexusd-notify-"));
  const record = join(directory, "record");
  const bin = join(directory, "bin");
  mkdirSync(bin);
  writeFileSync(record, "");
  const program = join(bin, "systemd-notify");
  // One write per message: two simultaneous ones do not mix.
  writeFileSync(
    program,
    `#!/bin/sh\n${before}\nline=$(printf '%s\\t' "$@")\nprintf '%s\\n' "$line" >>'${record}'\n`,
  );
  chmodSync(program, 0o755);
  return {
    env: { PATH: `${bin}${delimiter}${process.env.PATH}`, NOTIFY_SOCKET: join(directory, "notify") },
    messages: () =>
      readFileSync(record, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => line.replace(/\t$/, "").split("\t")),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
