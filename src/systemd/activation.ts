// Sockets that systemd opened before it started nexusd: sd_listen_fds_with_names(3).

import { fstatSync, readFileSync } from "node:fs";

/** The first passed descriptor: SD_LISTEN_FDS_START. */
const FIRST_FD = 3;
const VARIABLES = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];
/** systemd's name for a descriptor without one. */
const NO_NAME = "unknown";

export interface InheritedSocket {
  fd: number;
  /** FileDescriptorName= of its unit, by default the unit's own name; undefined if it has none. */
  name: string | undefined;
}

/**
 * Every descriptor that was passed to this process, in order. Several may share a name: a unit with several
 * ListenStream=. Removes the variables from `env`, so that no child takes them for its own.
 * @returns empty without socket activation, or if the sockets are meant for another process
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
  // A count beyond the open descriptors is wrong: nothing is passed after a gap.
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
 * The address of a Unix socket, from the kernel's table: a path, or "@" and a name that is not a file ("abstract").
 * @returns undefined for anything but a Unix socket with a name, and on a system without that table
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
