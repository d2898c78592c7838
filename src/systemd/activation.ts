// Sockets that systemd opened before nexusd was started: sd_listen_fds_with_names(3).

import { fstatSync, readFileSync } from "node:fs";

/** The first descriptor that is passed: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
const VARIABLES = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/** What systemd calls a descriptor without a name. */
const NO_NAME = "unknown";

export interface InheritedSocket {
  fd: number;
  /** FileDescriptorName= of its unit, by default the unit's own name; undefined where it has none. */
  name: string | undefined;
}

/**
 * Every descriptor that was passed to this process, in order. Several may have one name: that is a unit with several
 * ListenStream=. Takes the variables out of `env`, so that no child believes that they are meant for it.
 * @returns empty without socket activation, or where the sockets are meant for another process
 */
export function takeInheritedSockets(
  env: Record<string, string | undefined>,
  pid: number,
): readonly InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of VARIABLES) delete env[name];
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count)) return [];
  const names = (LISTEN_FDNAMES ?? "").split(":");
  const sockets: InheritedSocket[] = [];
  // A count beyond what is open is nobody's: nothing is passed behind a gap.
  for (let index = 0; index < count && isOpen(FIRST_FD + index); index += 1) {
    const name = names[index];
    sockets.push({ fd: FIRST_FD + index, name: name && name !== NO_NAME ? name : undefined });
  }
  return sockets;
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/**
 * What a Unix socket is bound to, by the kernel's table: a path, or "@" and a name that is no file's ("abstract").
 * @returns undefined for what is no Unix socket with a name, and on a system without that table
 */
export function boundTo(fd: number): string | undefined {
  try {
    const inode = String(fstatSync(fd, { bigint: true }).ino);
    // "Num: RefCount Protocol Flags Type St Inode Path": the inode is the seventh field, the name the rest.
    const rows = readFileSync("/proc/self/net/unix", "utf8").split("\n");
    const row = rows
      .map((line) => /^(?:\S+\s+){6}(\d+) ([/@].*)$/.exec(line))
      .find((found) => found?.[1] === inode);
    return row?.[2];
  } catch {
    return undefined;
  }
}
