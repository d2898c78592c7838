// One control socket over the life of the daemon: opened, looked after, and opened again when somebody took it away.

import type { Server } from "node:http";
import type { Logger } from "pino";
import type { Role } from "./context.ts";
import { type OpenSocket, openSocket, type Presence, SocketError } from "./sockets.ts";

/** How long a socket that was removed can be away. */
export const LOOK_EVERY_MS = 500;
/** For answers that are being written when we close; a reader that stands still is cut off after it. */
const GRACE_MS = 1000;
const SWEEP_MS = 25;

export interface SocketStatus {
  path: string;
  /** `missing` and `replaced`: nobody reaches nexusd there, and `lastError` says why it cannot be mended. */
  state: Presence;
  lastError: { code: string; message: string } | null;
}

export interface Listener {
  status(): SocketStatus;
  /** Takes the socket away at once, lets what is being answered finish for at most a second, and resolves. */
  close(): Promise<void>;
}

export interface ListenerOptions {
  role: Role;
  path: string;
  mode: number;
  /** A server that does not listen yet; asked for again each time the socket has to be opened anew. */
  createServer: () => Server;
  log: Logger;
}

/**
 * Looks after the socket twice a second: one that was removed, or replaced by what nobody uses, is opened again.
 * Another process that lives there is left alone, and so is what is not a socket.
 * @throws SocketError when it cannot be opened now
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
      // Nobody finds it any more. Connections that are open stay so.
      socket.close();
      socket = undefined;
    }
    await restore();
  };
  // On the machine's own timers: what is looked at is the file system, which no clock of ours moves.
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

/** Resolves when no connection of the server is left; it does not listen any more. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.once("close", resolve));
  server.close();
  // A connection that was busy when closing began is idle after its answer, and nobody would tell it to end.
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  const cut = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}
