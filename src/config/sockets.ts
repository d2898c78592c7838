// The paths of the two control sockets.

import { join, resolve } from "node:path";
import type { Config } from "./schema.ts";

// sun_path of sockaddr_un without its final NUL: 108 bytes on Linux, 104 elsewhere.
const SUN_PATH_BYTES = process.platform === "linux" ? 107 : 103;

export interface SocketPaths {
  agent: string;
  operator: string;
}

type SocketKeys = {
  daemon: Pick<Config["daemon"], "data_dir">;
  control: Omit<Config["control"], "metrics_port">;
};

/** As configured, else in the data directory; relative paths stay relative to the working directory. */
export const socketPaths = ({ daemon, control }: SocketKeys): SocketPaths => ({
  agent: control.agent_socket ?? join(daemon.data_dir, "agent.sock"),
  operator: control.operator_socket ?? join(daemon.data_dir, "operator.sock"),
});

/** Problems of the sockets' paths: too long for the system, or the same one twice. */
export function socketProblems(config: SocketKeys): { path: string[]; value: string; message: string }[] {
  const paths = socketPaths(config);
  const problems = [];
  for (const role of ["agent", "operator"] as const) {
    const bytes = Buffer.byteLength(paths[role]);
    if (bytes > SUN_PATH_BYTES)
      problems.push({
        path: ["control", `${role}_socket`],
        value: paths[role],
        message: `must be at most ${SUN_PATH_BYTES} bytes long, which a socket's path may be (this one has ${bytes})`,
      });
  }
  if (resolve(paths.agent) === resolve(paths.operator))
    problems.push({
      path: ["control", "operator_socket"],
      value: paths.operator,
      message: "must be another path than agent_socket: who may approve is decided by the socket",
    });
  return problems;
}
