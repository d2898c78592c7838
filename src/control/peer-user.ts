// The operating system's user at the other end of a Unix socket (SO_PEERCRED), as the kernel recorded it on connect.
// Node.js has no call for it, but its module node:ffi, since Node.js 26, can ask the C library. Without that module, on
// other systems and on other processors the user is unknown.

import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** The values on Linux, on processors that use its generic numbers. */
const [SOL_SOCKET, SO_PEERCRED] = [1, 17];
const PROCESSORS: readonly string[] = ["x64", "arm64", "arm", "ia32", "riscv64", "loong64", "s390x"];
/** `struct ucred`: pid, uid, gid. */
const UCRED_BYTES = 12;
const UID_AT = 4;

type UidOf = (fd: number) => number | undefined;

/** @returns the name, `uid 1234` if it has none, or null if the kernel does not say */
export function peerUser(socket: Socket): string | null {
  uidOf ??= createUidOf();
  const uid = uidOf(fdOf(socket));
  if (uid === undefined || uid === overflowUid()) return null;
  return namesByUid().get(uid) ?? `uid ${uid}`;
}

let uidOf: UidOf | undefined;

function createUidOf(): UidOf {
  const nothing: UidOf = () => undefined;
  if (process.platform !== "linux" || !PROCESSORS.includes(process.arch)) return nothing;
  try {
    const ffi = withoutWarning(() => process.getBuiltinModule("node:ffi"));
    if (!ffi) return nothing;
    const { getsockopt } = ffi.dlopen(null, {
      getsockopt: { arguments: ["int32", "int32", "int32", "pointer", "pointer"], return: "int32" },
    }).functions;
    const credentials = Buffer.alloc(UCRED_BYTES);
    const length = Buffer.alloc(4);
    const [credentialsAt, lengthAt] = [ffi.getRawPointer(credentials), ffi.getRawPointer(length)];
    return (fd) => {
      if (fd < 0) return undefined;
      length.writeUInt32LE(UCRED_BYTES);
      const isSaid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentialsAt, lengthAt) === 0;
      return isSaid && length.readUInt32LE() === UCRED_BYTES ? credentials.readUInt32LE(UID_AT) : undefined;
    };
  } catch {
    return nothing;
  }
}

/** The warning that the module is experimental is suppressed: no decision of nexusd depends on it. */
function withoutWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The descriptor of a socket, which Node.js has no public API for; -1: it is closed. */
function fdOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, "_handle");
  const fd: unknown = typeof handle === "object" && handle !== null ? Reflect.get(handle, "fd") : undefined;
  return typeof fd === "number" ? fd : -1;
}

/** The uid that stands for all users outside a user namespace (PrivateUsers= of a unit). */
function overflowUid(): number {
  overflow ??= Number(readOr("/proc/sys/kernel/overflowuid", "65534"));
  return overflow;
}
let overflow: number | undefined;

const FRESH_MS = 60_000;
let names: { at: number; byUid: Map<number, string> } | undefined;

function namesByUid(): Map<number, string> {
  const now = performance.now();
  if (names && now - names.at < FRESH_MS) return names.byUid;
  const byUid = new Map<number, string>();
  for (const line of readOr("/etc/passwd", "").split("\n").reverse()) {
    const [name, , uid] = line.split(":");
    if (name && uid) byUid.set(Number(uid), name);
  }
  names = { at: now, byUid };
  return byUid;
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return otherwise;
  }
}
