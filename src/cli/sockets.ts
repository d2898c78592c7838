// Which socket a command uses: --socket, the environment, or the config.

import { resolve } from "node:path";
import type { Role, Sockets } from "../client/transport.ts";
import { type Place, placeOf } from "./places.ts";
import { Failed, NoDaemon } from "./problem.ts";

// As in core/clock.ts.
const { existsSync } = process.getBuiltinModule("node:fs");

export type { Role };

export interface GlobalOptions {
  socket?: string;
  config?: string;
  json?: boolean;
}

export interface SocketChoice extends Sockets {
  /** @throws Failed `invalid_config` if only the config could tell, and it cannot be read. */
  path(role: Role): Promise<string>;
}

/** The paths from systemd/nexusd-agent.socket and nexusd-operator.socket. */
const OF_SYSTEMD = { agent: "/run/nexusd/agent.sock", operator: "/run/nexusd/operator.sock" };

const VARIABLE = { agent: "NEXUSD_AGENT_SOCKET", operator: "NEXUSD_OPERATOR_SOCKET" } as const;

/** @param onNote called with what a person should know about the configuration */
export function chooseSockets(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  onNote: (text: string) => void,
): SocketChoice {
  let configured: Promise<Record<Role, Place>> | undefined;
  const place = async (role: Role): Promise<Place> => {
    const given = options.socket ?? env[VARIABLE[role]];
    if (given) return { path: given, otherwise: [] };
    configured ??= fromConfig(options.config, env, onNote);
    return (await configured)[role];
  };
  return {
    path: async (role) => (await place(role)).path,
    async absent(role, path, cause) {
      // Loaded only here: the advice is needed only if no daemon is running.
      const { startWith } = await import("./start-with.ts");
      return new NoDaemon(
        [resolve(path), ...(await place(role)).otherwise],
        startWith((options.config ?? env.NEXUSD_CONFIG) || undefined),
        cause,
      );
    },
  };
}

async function fromConfig(
  explicit: string | undefined,
  env: NodeJS.ProcessEnv,
  onNote: (text: string) => void,
): Promise<Record<Role, Place>> {
  // Loaded only here: most agents are told the path of the socket.
  const { findConfig, whyUnreadable } = await import("../config/find.ts");
  const { ConfigError } = await import("../config/error.ts");
  const { readSockets } = await import("./socket-config.ts");
  const unknown = (path: string, message: string, cause: unknown) =>
    new Failed(
      {
        title: "Invalid configuration",
        detail: `The path of the daemon's socket cannot be read from ${path}. Fix the file, or name the socket with --socket PATH or $${VARIABLE.agent}`,
        code: "invalid_config",
        errors: [{ path, message }],
      },
      { cause },
    );

  let file: string;
  try {
    file = findConfig(explicit, env);
  } catch (error) {
    if (error instanceof ConfigError) throw unknown(error.path, error.problems[0]?.message ?? "", error);
    throw error;
  }
  try {
    const { paths, notice } = readSockets(file);
    if (notice !== undefined) onNote(notice);
    return { agent: placeOf(paths.agent, file), operator: placeOf(paths.operator, file) };
  } catch (error) {
    // Only nexusd can read the system's configuration, but the paths of systemd's sockets are fixed.
    const isSystems = !explicit && !env.NEXUSD_CONFIG;
    if (isSystems && Object.values(OF_SYSTEMD).every((path) => existsSync(path)))
      return { agent: placeOf(OF_SYSTEMD.agent, file), operator: placeOf(OF_SYSTEMD.operator, file) };
    throw unknown(file, whyUnreadable(error), error);
  }
}
