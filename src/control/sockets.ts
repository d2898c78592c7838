// A Unix socket that is bound at its final name, that accepts no connection before its permissions are set, and that
// never replaces one in use.

import { chmodSync, existsSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FileIdentity, identify, isSame, moveAside, putBack, takeAway } from "./socket-file.ts";

// sun_path of sockaddr_un without its final NUL: 108 bytes on Linux, 104 elsewhere.
const LONGEST_PATH = process.platform === "linux" ? 107 : 103;
const CONNECT_TIMEOUT_MS = 1000;
/** A socket is bound a moment before it listens, so it counts as stale only if it refuses twice. */
const SECOND_LOOK_MS = 50;

type SocketErrorCode = "in_use" | "not_a_socket" | "path_too_long" | "unusable";

/** A socket that cannot be opened. The message is one line and ends with the remedy. */
export class SocketError extends Error {
  override readonly name = "SocketError";
  readonly code: SocketErrorCode;

  constructor(code: SocketErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** What is at a socket's path: the socket itself, nothing, or something else. */
export type Presence = "there" | "missing" | "replaced";

export interface OpenSocket {
  presence(): Presence;
  /** Stops listening and removes the socket's file, if it is still ours. Open connections stay open. */
  close(): void;
}

/**
 * Makes `server` listen at `path`, with this mode. What a dead process left there is replaced.
 *
 * The name in the kernel's table must be the name of the file: a socket that is bound elsewhere and then renamed looks
 * stale to tools that clean up by that table, such as systemd-tmpfiles.
 * @throws SocketError
 */
export async function openSocket(options: {
  path: string;
  mode: number;
  server: Server;
}): Promise<OpenSocket> {
  const { path, mode, server } = options;
  const length = Buffer.byteLength(path);
  if (length > LONGEST_PATH)
    throw new SocketError(
      "path_too_long",
      `${path}: a socket's path can have ${LONGEST_PATH} bytes, and this one has ${length}; name a shorter one in [control]`,
    );
  await clearTheWay(path);
  const ours = await bind(server, path, mode);
  return {
    presence: () => presenceOf(path, ours),
    close: () => closeKeeping(server, path, ours),
  };
}

/** What is at `path` now, compared with this file. */
export function presenceOf(path: string, ours: FileIdentity): Presence {
  try {
    const there = identify(path);
    if (there === undefined) return "missing";
    return isSame(there, ours) ? "there" : "replaced";
  } catch {
    return "missing"; // its directory can no longer be searched, so no client finds it there
  }
}

/** @throws SocketError */
async function bind(server: Server, path: string, mode: number): Promise<FileIdentity> {
  const failed = new Promise<never>((_, reject) => server.once("error", reject));
  failed.catch(() => {});
  const listening = new Promise<void>((resolve) => server.once("listening", resolve));
  // Created for us alone, whatever the umask, and opened to others once it is certainly ours. Everything up to the
  // chmod happens synchronously: `listen` on a path binds before it returns.
  const before = process.umask(0o077);
  try {
    server.listen({ path });
  } finally {
    process.umask(before);
  }
  try {
    if (server.listening) chmodSync(path, mode);
    const ours = identify(path);
    await Promise.race([listening, failed]);
    if (!ours)
      throw new SocketError("unusable", `${path}: it was removed right after it was created; try again`);
    return ours;
  } catch (error) {
    server.close();
    throw error instanceof SocketError ? error : unusable(path, error);
  }
}

/**
 * Closing a handle that was bound by name makes libuv remove whatever has that name by then. Meanwhile a file that is
 * not ours is moved out of its reach, with an empty file of ours in its place.
 */
function closeKeeping(server: Server, path: string, ours: FileIdentity): void {
  if (presenceOf(path, ours) === "there") {
    server.close();
    return;
  }
  const aside = moveAside(path);
  server.close();
  if (aside !== undefined) putBack(aside, path);
}

/** @throws SocketError if something is there that must stay */
async function clearTheWay(path: string): Promise<void> {
  const there = look(path);
  if (there === undefined) return;
  if (!there.isSocket)
    throw new SocketError(
      "not_a_socket",
      `${path}: a file that is not a socket is in the way; move it, or name another path in [control]`,
    );
  if (await isLive(path)) throw inUse(path);
  await sleep(SECOND_LOOK_MS);
  if (await isLive(path)) throw inUse(path);
  // Only exactly that file: it may have been replaced since.
  try {
    if (!takeAway(path, there)) throw inUse(path);
  } catch (error) {
    throw error instanceof SocketError ? error : unusable(path, error);
  }
}

/** @throws SocketError */
function look(path: string): FileIdentity | undefined {
  try {
    return identify(path);
  } catch (error) {
    throw unusable(path, error);
  }
}

const inUse = (path: string) =>
  new SocketError(
    "in_use",
    `${path}: another process listens there; stop it (is nexusd running already?), or name another path in [control]`,
  );

/** @throws SocketError if it cannot be determined */
const isLive = (path: string) =>
  new Promise<boolean>((resolve, reject) => {
    const socket = connect(path);
    // No answer in time means that the process exists and is busy.
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => settle(true));
    socket.once("connect", () => settle(true));
    socket.once("error", (error) => {
      const code = codeOf(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") settle(false);
      else if (code === "EAGAIN") settle(true);
      else reject(unusable(path, error));
    });
    const settle = (live: boolean) => {
      socket.destroy();
      resolve(live);
    };
  });

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "");

function unusable(path: string, error: unknown): SocketError {
  // libuv reports EACCES for a directory that does not exist.
  const code = codeOf(error) === "EACCES" && !existsSync(dirname(path)) ? "ENOENT" : codeOf(error);
  if (code === "EADDRINUSE") return inUse(path);
  const [wrong, remedy] =
    code === "ENOENT"
      ? ["its directory does not exist", `create it: mkdir -p ${dirname(path)}`]
      : code === "EACCES" || code === "EPERM"
        ? [
            "no permission there",
            "let nexusd's user write to the directory, or name another path in [control]",
          ]
        : [`it cannot be opened (${code || error})`, "name another path in [control]"];
  return new SocketError("unusable", `${path}: ${wrong}; ${remedy}`, error);
}
