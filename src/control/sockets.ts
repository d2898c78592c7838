// A Unix socket that nobody can connect to before its permissions are right, and that takes nobody else's place.

import { chmod, lstat, mkdtemp, rename, rm, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";

// sun_path of sockaddr_un without its final NUL: 108 bytes on Linux, 104 elsewhere.
const LONGEST_PATH = process.platform === "linux" ? 107 : 103;
const CONNECT_TIMEOUT_MS = 1000;

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

export interface OpenSocket {
  /** Removes the socket's file, if it is still ours. To be called while the server still listens. */
  remove(): Promise<void>;
}

/**
 * Lets `listen` bind a socket where only we can reach it, gives it its mode, and only then moves it to `path`. What a
 * process that died left there is replaced. Two that start at the same moment are kept apart by the lock of the data
 * directory.
 * @throws SocketError
 */
export async function openSocket(options: {
  path: string;
  mode: number;
  listen: (path: string) => Promise<unknown>;
}): Promise<OpenSocket> {
  const { path, mode, listen } = options;
  // The temporary name is as short as mkdtemp allows, shorter than "agent.sock".
  const temporary = join(dirname(path), ".s");
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(`${temporary}XXXXXX/s`));
  if (longest > LONGEST_PATH)
    throw new SocketError(
      "path_too_long",
      `${path}: a socket's path can have ${LONGEST_PATH} bytes, and this one needs ${longest}; name a shorter one in [control]`,
    );
  await clearTheWay(path);

  let directory: string | undefined;
  try {
    directory = await mkdtemp(temporary);
    const bound = join(directory, "s");
    await listen(bound);
    await chmod(bound, mode);
    const ours = await lstat(bound);
    await rename(bound, path);
    return {
      async remove() {
        // While the socket is open its inode number is not given to another file.
        const there = await lstat(path).catch(() => undefined);
        if (there?.ino === ours.ino && there.dev === ours.dev) await unlink(path).catch(() => {});
      },
    };
  } catch (error) {
    throw unusable(path, error);
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Listens on a socket that is open already. Its file stays when we close: the next start gets the connections that
 * come in meanwhile.
 * @throws SocketError when the descriptor is no socket
 */
export async function adoptSocket(options: {
  path: string;
  fd: number;
  listen: (path: string, fd: number) => Promise<unknown>;
}): Promise<OpenSocket> {
  const { path, fd, listen } = options;
  try {
    await listen(path, fd);
    return { remove: async () => {} };
  } catch (error) {
    const why = codeOf(error) || String(error);
    throw new SocketError(
      "unusable",
      `${path}: descriptor ${fd}, passed by systemd, cannot be listened on (${why}); check the socket unit`,
      error,
    );
  }
}

/** @throws SocketError when something is there that must stay */
async function clearTheWay(path: string): Promise<void> {
  let there: Awaited<ReturnType<typeof lstat>>;
  try {
    there = await lstat(path);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    throw unusable(path, error);
  }
  if (!there.isSocket())
    throw new SocketError(
      "not_a_socket",
      `${path}: something that is not a socket is in the way; move it, or name another path in [control]`,
    );
  if (await isLive(path))
    throw new SocketError(
      "in_use",
      `${path}: another process listens there; stop it (is nexusd running already?), or name another path in [control]`,
    );
}

/** @throws SocketError when it cannot be found out */
const isLive = (path: string) =>
  new Promise<boolean>((resolve, reject) => {
    const socket = connect(path);
    // No answer within its time is a process that is there and busy.
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
  const code = codeOf(error);
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
