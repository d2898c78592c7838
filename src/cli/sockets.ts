// Which socket a command talks to: --socket, the environment, or what the config says.

import { Failed } from "./problem.ts";

export type Role = "agent" | "operator";

export interface GlobalOptions {
  socket?: string;
  config?: string;
  json?: boolean;
}

export interface SocketChoice {
  /** @throws Failed `invalid_config` when only the config could say it, and it cannot be read. */
  path(role: Role): Promise<string>;
  /** The command that starts the daemon. */
  startWith(): Promise<string>;
}

const VARIABLE = { agent: "NEXUSD_AGENT_SOCKET", operator: "NEXUSD_OPERATOR_SOCKET" } as const;

export function chooseSockets(options: GlobalOptions, env: NodeJS.ProcessEnv): SocketChoice {
  let configured: Promise<Record<Role, string>> | undefined;
  return {
    async path(role) {
      const given = options.socket ?? env[VARIABLE[role]];
      if (given) return given;
      configured ??= fromConfig(options.config, env);
      return (await configured)[role];
    },
    async startWith() {
      const path = options.config ?? env.NEXUSD_CONFIG;
      return path ? `nexusd --config ${path}` : "nexusd";
    },
  };
}

async function fromConfig(
  explicit: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<Record<Role, string>> {
  // Loaded only here: reading the config costs more time than all the rest of a command.
  const { findConfig, loadConfig } = await import("../config/load.ts");
  const { ConfigError } = await import("../config/problems.ts");
  const { socketPaths } = await import("../config/sockets.ts");
  try {
    const path = findConfig(explicit, env);
    return socketPaths(loadConfig({ path, env, resolveSecrets: false }).config);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failed(
      {
        title: "Invalid configuration",
        detail: `Where the daemon's socket is cannot be read from ${error.path}. Put it right, or name the socket with --socket PATH or $${VARIABLE.agent}`,
        code: "invalid_config",
        errors: error.problems.map(({ path, message }) => ({ path: path || error.path, message })),
      },
      { cause: error },
    );
  }
}
