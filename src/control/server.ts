// The control API: one instance for each socket, opened and closed together.

import type { Server } from "node:http";
import { z } from "zod";
import { explainValue } from "../core/explain-issue.ts";
import { followLog } from "../store/tail.ts";
import type { InheritedSocket } from "../systemd/activation.ts";
import { createAppServer, ownHeaders } from "./app-server.ts";
import { limitConnections } from "./connections.ts";
import type { ControlContext, Role } from "./context.ts";
import { createGate } from "./gate.ts";
import { createHandedOut } from "./handed-out.ts";
import { type AdoptedSocket, adoptSockets } from "./inherited.ts";
import { keepListening } from "./listener.ts";
import { openMetricsPort } from "./metrics-port.ts";
import { createSide } from "./side.ts";

// Replaces zod's own messages, which are for programmers. Parsers with their own (the configuration's) keep them.
z.config({ localeError: explainValue });

const ROLES = ["agent", "operator"] as const;
const MODES: Record<Role, number> = { agent: 0o660, operator: 0o600 };

export interface Control {
  /** Removes the sockets, lets answers in progress finish for at most a second, and resolves. */
  close(): Promise<void>;
}

/**
 * Serves both sockets once it resolves, and watches them. The caller has to close it; `context.signal` ends waits and
 * streams.
 * @throws SocketError if a socket cannot be opened; then neither is
 */
export async function startControl(options: {
  context: ControlContext;
  sockets: Record<Role, string>;
  /** What systemd passed: their files, owners and modes are systemd's. */
  inherited?: readonly InheritedSocket[];
  /** The port on 127.0.0.1 for Prometheus. */
  metricsPort?: number | undefined;
}): Promise<Control> {
  const { context, sockets, inherited = [], metricsPort } = options;
  const { log } = context;
  const tail = followLog(context);
  const handedOut = createHandedOut((await context.store.readEvents({ after: 0, limit: 0 })).latest);
  const opened: AdoptedSocket[] = [];
  const socketStatus = () =>
    opened.flatMap(({ role, listener }) => (role ? [{ role, ...listener.status() }] : []));
  let metricsServer: Server | undefined;

  const limitedSide = (role: Role) => {
    const gate = createGate({ role, limits: context.limits });
    const { route, close } = createSide({ context, role, tail, handedOut, socketStatus, gate });
    const limited = limitConnections({ role, limits: gate.limits, headers: ownHeaders(context) });
    return { createServer: () => limited(createAppServer(route, context, gate.turn)), close };
  };
  const sides = { agent: limitedSide("agent"), operator: limitedSide("operator") };
  const createServer = (role: Role) => sides[role].createServer();

  const close = async () => {
    const closing = opened.map(({ listener }) => listener.close());
    tail.close();
    metricsServer?.closeAllConnections();
    metricsServer?.close();
    await Promise.all(closing);
    await Promise.all(ROLES.map((role) => sides[role].close()));
  };

  try {
    opened.push(...(await adoptSockets({ inherited, sockets, createServer, log })));
    for (const role of ROLES)
      if (!opened.some((adopted) => adopted.role === role))
        opened.push({
          role,
          listener: await keepListening({
            ...{ role, path: sockets[role], mode: MODES[role], log },
            createServer: () => createServer(role),
          }),
        });
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
