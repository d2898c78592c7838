// One control socket over the life of the daemon: opened, watched, and reopened if something removes it.

import type { Server } from "node:http";
import type { Logger } from "pino";
import type { Role } from "./context.ts";
import { type OpenSocket, openSocket, type Presence, SocketError } from "./sockets.ts";

/** How long a removed socket can be missing. */
export const LOOK_EVERY_MS = 500;
/** For answers in progress when we close; a stalled reader is cut off after it. */
const GRACE_MS = 1000;
const SWEEP_MS = 25;

export interface SocketStatus {
  path: string;
  /** `missing` and `replaced`: nexusd cannot be reached there, and `lastError` says why that cannot be repaired. */
  state: Presence;
  lastError: { code: string; message: string } | null;
}

export interface Listener {
  status(): SocketStatus;
  /** Removes the socket at once, lets answers in progress finish for at most a second, and resolves. */
  close(): Promise<void>;
}

export interface ListenerOptions {
  role: Role;
  path: string;
  mode: number;
  /** A server that does not listen yet; called each time the socket has to be reopened. */
  createServer: () => Server;
  log: Logger;
}

/**
 * Checks the socket twice a second: one that was removed, or replaced by a socket that is not in use, is reopened.
 * A socket of another live process is left alone, and so is anything that is not a socket.
 * @throws SocketError if it cannot be opened now
 */
export async function keepListening(options: ListenerOptions): Promise<Listener> {
  const { role, path, mode, createServer, log } = options;
  /** All that still have connections; the last one is the one that listens. */
  const servers = new Set<Server>();
  let lastError: SocketStatus["lastError"] = null;
  let looking: Promise<void> | undefined;
  let isClosing = false;

  const open = async (): Promise<OpenSocket> => {
    const server = createServer();
    const opened = await openSocket({ path, mode, server });
    servers.add(server);
    server.once("close", () => servers.delete(server));
    return opened;
  };
  let socket: OpenSocket | undefined = await open();
  let presence: Presence = "there";

  const restore = async () => {
    try {
      socket = await open();
      if (isClosing) return socket.close();
      log.warn({ socket: role, path }, `the control socket was ${wasTaken(presence)}, and was created again`);
      presence = "there";
      lastError = null;
    } catch (error) {
      const { code, message } =
        error instanceof SocketError ? error : { code: "unusable", message: String(error) };
      if (lastError?.message !== message)
        log.error(
          { socket: role, code },
          `the control socket was ${wasTaken(presence)} and cannot be created again: ${message}`,
        );
      lastError = { code, message };
    }
  };
  const look = async () => {
    if (socket) {
      const now = socket.presence();
      if (now === "there") return;
      presence = now;
      // It can no longer be reached. Open connections stay open.
      socket.close();
      socket = undefined;
    }
    await restore();
  };
  // A real timer: the file system is not moved by a fake clock.
  const timer = setInterval(() => {
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }, LOOK_EVERY_MS);
  timer.unref();

  return {
    status: () => ({ path, state: presence, lastError }),
    async close() {
      isClosing = true;
      clearInterval(timer);
      socket?.close();
      await looking;
      await Promise.all([...servers].map(closeServer));
    },
  };
}

const wasTaken = (presence: Presence) => (presence === "replaced" ? "replaced by something else" : "removed");

/** Resolves when the server has no connection left; it no longer listens. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.once("close", resolve));
  server.close();
  // A connection that was busy when closing began is idle after its answer; nothing else would end it.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
