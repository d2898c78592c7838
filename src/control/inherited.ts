// The sockets that systemd passed: assigns each to its role and refuses connections to the others. systemd holds all of
// them open, so a client of one that is not served would wait forever.

import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { resolve } from "node:path";
import type { Logger } from "pino";
import { boundTo, type InheritedSocket } from "../systemd/activation.ts";
import type { Role } from "./context.ts";
import { answerHalfClosed } from "./half-closed.ts";
import { closeServer, type Listener, LOOK_EVERY_MS, type SocketStatus } from "./listener.ts";
import { Problem, sendProblem } from "./problem.ts";
import { type FileIdentity, identify } from "./socket-file.ts";
import { presenceOf } from "./sockets.ts";

const ROLES = ["agent", "operator"] as const;
/** Matches a unit's own name, the default of FileDescriptorName=: nexusd-agent.socket, nexusd-agent@work.socket. */
const UNIT_NAME = /^(?:.*[-_.])?(agent|operator)(?:@.*)?\.socket$/;
const MOST_REFUSED_AT_ONCE = 16;
const REMEDY = "set FileDescriptorName=agent or FileDescriptorName=operator in its unit";
const OPEN_TO_ALL = "so that everybody may connect: ListenStream= must be the path of a socket";

export interface AdoptedSocket {
  /** Undefined: all connections are refused. */
  role: Role | undefined;
  listener: Listener;
}

interface Options {
  inherited: readonly InheritedSocket[];
  /** Their configured paths. */
  sockets: Record<Role, string>;
  /** A server for one socket of this role, not listening yet. */
  createServer: (role: Role) => Server;
  log: Logger;
}

/** Serves each socket that belongs to a role. Clients of any other one are told what is wrong with it. */
export async function adoptSockets(options: Options): Promise<AdoptedSocket[]> {
  const adopted: AdoptedSocket[] = [];
  for (const socket of options.inherited) {
    const one = await adopt(socket, options);
    if (one) adopted.push(one);
  }
  return adopted;
}

/** By its name; if that names no role, by its path. */
export function roleOf(
  name: string | undefined,
  path: string | undefined,
  sockets: Record<Role, string>,
): Role | undefined {
  const named = UNIT_NAME.exec(name ?? "")?.[1] ?? name;
  return (
    ROLES.find((role) => role === named) ??
    ROLES.find((role) => path !== undefined && resolve(sockets[role]) === path)
  );
}

/** @returns undefined if nothing can be listened on */
async function adopt(
  { fd, name }: InheritedSocket,
  { sockets, createServer, log }: Options,
): Promise<AdoptedSocket | undefined> {
  const bound = boundTo(fd);
  const isAbstract = bound?.startsWith("@") ?? false;
  const path = isAbstract ? undefined : bound;
  const role = roleOf(name, path, sockets);
  const what = `systemd passed descriptor ${fd} (${name ? `"${name}"` : "without a name"}${bound ? `, ${bound}` : ""})`;
  const server = role ? createServer(role) : createRefusingServer();
  server.listen({ fd });
  // Checked before any client is let in: anyone who can reach a port, or an abstract name, would be an agent or an
  // operator, and only the permissions of a file can limit that.
  const isPort = typeof server.address() === "object" && server.address() !== null;
  const refusal =
    role === undefined
      ? `is neither the agents' socket nor the operators': ${REMEDY}`
      : isPort
        ? `is a port, ${OPEN_TO_ALL}`
        : isAbstract
          ? `is no file, ${OPEN_TO_ALL}`
          : undefined;
  if (refusal) {
    log.error(`${what}, which ${refusal}`);
    refuseAll(server, `This socket, which systemd passed to nexusd, ${refusal}.`);
  }
  try {
    await once(server, "listening");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : String(error);
    log.error(
      `${what}, which cannot be listened on (${code}): ListenStream= with Accept=no is what nexusd takes`,
    );
    return undefined;
  }
  if (refusal || role === undefined)
    return {
      role: undefined,
      listener: listenerOf(server, () => ({ path: path ?? "", state: "there", lastError: null })),
    };
  if (path !== undefined && path !== resolve(sockets[role]))
    log.warn(
      `${what}, but control.${role}_socket is ${sockets[role]}: clients that use the configuration will not find it`,
    );
  return { role, listener: watched(server, role, path ?? sockets[role], log) };
}

/** The file is systemd's, with an owner and a group that we cannot set: we watch it, and never create or remove it. */
function watched(server: Server, role: Role, path: string, log: Logger): Listener {
  const file = fileAt(path);
  let lastError: SocketStatus["lastError"] = null;
  const state = () => (file ? presenceOf(path, file) : "there");
  const look = () => {
    const now = state();
    if (now === "there") {
      if (lastError) log.info({ socket: role, path }, "the control socket is back");
      lastError = null;
    } else if (!lastError) {
      const units = "nexusd-agent.socket nexusd-operator.socket nexusd.service";
      const happened = now === "missing" ? "removed" : "replaced by something else";
      const message = `${path} was ${happened}, and systemd has to create it again: systemctl restart ${units}`;
      lastError = { code: `socket_${now}`, message };
      log.error({ socket: role }, `a control socket cannot be reached: ${message}`);
    }
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  return listenerOf(
    server,
    () => ({ path, state: state(), lastError }),
    () => clearInterval(timer),
  );
}

const listenerOf = (server: Server, status: () => SocketStatus, beforeClose = () => {}): Listener => ({
  status,
  close() {
    beforeClose();
    // A descriptor has no name for libuv to remove: the next start gets the connections that come in meanwhile.
    return closeServer(server);
  },
});

function createRefusingServer(): Server {
  const server = createHttpServer({ requireHostHeader: false });
  answerHalfClosed(server);
  return server;
}

function refuseAll(server: Server, detail: string): void {
  server.maxConnections = MOST_REFUSED_AT_ONCE;
  server.removeAllListeners("request");
  server.on("request", (_request: IncomingMessage, response: ServerResponse) => {
    response.setHeader("connection", "close");
    sendProblem(response, new Problem("unknown_socket", detail));
  });
}

const fileAt = (path: string): FileIdentity | undefined => {
  try {
    const file = identify(path);
    return file?.isSocket ? file : undefined;
  } catch {
    return undefined; // in a directory that we may not search: systemd has to look after it
  }
};
