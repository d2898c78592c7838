// The control API: one instance for each socket, opened and closed together.

import type { Server } from "node:http";
import { followLog, type Tail } from "../events/tail.ts";
import { type App, createApp } from "./app.ts";
import type { ControlContext, Role } from "./context.ts";
import { openMetricsPort } from "./metrics-port.ts";
import { registerRoutes } from "./routes.ts";
import { adoptSocket, type OpenSocket, openSocket } from "./sockets.ts";

const MODES: Record<Role, number> = { agent: 0o660, operator: 0o600 };
/** For answers that are being written when we close; a reader that stands still is cut off after it. */
const GRACE_MS = 1000;
const SWEEP_MS = 25;

export interface Control {
  /** Takes the sockets away, lets what is being answered finish for at most a second, and resolves. */
  close(): Promise<void>;
}

/**
 * Answers on both sockets when it resolves. Closing is for the caller; `context.signal` ends waits and streams.
 * @throws SocketError when a socket cannot be opened; neither is then
 */
export async function startControl(options: {
  context: ControlContext;
  sockets: Record<Role, string>;
  /** Listening sockets that systemd opened, by role: their files, owners and modes are its own. */
  inherited?: ReadonlyMap<string, number>;
  /** Where Prometheus finds the metrics on 127.0.0.1. */
  metricsPort?: number | undefined;
}): Promise<Control> {
  const { context, sockets, inherited, metricsPort } = options;
  const tail = followLog(context);
  const opened: { app: App; socket: OpenSocket | undefined }[] = [];
  let metricsServer: Server | undefined;

  const close = async () => {
    // The files first: an inode of ours cannot be another's while the server is open.
    for (const { socket } of opened) await socket?.remove();
    tail.close();
    metricsServer?.closeAllConnections();
    metricsServer?.close();
    await Promise.all(opened.map(({ app }) => closeApp(app)));
  };

  try {
    for (const role of ["agent", "operator"] as const) {
      const app = createRoutedApp(context, role, tail);
      const entry: (typeof opened)[number] = { app, socket: undefined };
      opened.push(entry);
      const fd = inherited?.get(role);
      if (fd === undefined)
        entry.socket = await openSocket({
          path: sockets[role],
          mode: MODES[role],
          listen: (path) => app.listen({ path }),
        });
      else
        entry.socket = await adoptSocket({
          path: sockets[role],
          fd,
          listen: (path, fd) => {
            // Fastify asks where it listens, and Node.js does not know the path of a descriptor.
            app.server.address = () => path;
            // Node.js looks at the descriptor before the path, and closing it leaves the file.
            return app.listen(Object.assign({ path }, { fd }));
          },
        });
    }
    if (metricsPort !== undefined) metricsServer = await openMetricsPort(context, metricsPort);
  } catch (error) {
    await close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function createRoutedApp(context: ControlContext, role: Role, tail: Tail): App {
  const app = createApp({ context, role });
  registerRoutes(app, { context, role, tail });
  return app;
}

/** On the machine's own timers: what is waited for is the network, which no clock of ours moves. */
async function closeApp(app: App): Promise<void> {
  // A connection that was busy when closing began is idle after its answer, and nobody would tell it to end.
  const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
  const cut = setTimeout(() => app.server.closeAllConnections(), GRACE_MS);
  try {
    await app.close();
  } finally {
    clearInterval(sweep);
    clearTimeout(cut);
  }
}
