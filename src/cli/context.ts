// What every command of nexusctl is given.

import type { ControlClient } from "./client.ts";
import type { Io, Output } from "./output.ts";
import type { GlobalOptions, SocketChoice } from "./sockets.ts";

export interface CliContext {
  io: Io;
  output: Output;
  sockets: SocketChoice;
  client: ControlClient;
  options: GlobalOptions;
}

/** Turns a command's work into a commander action: the context first, then the command's own arguments. */
export type Act = <A extends unknown[]>(
  work: (context: CliContext, ...args: A) => Promise<void>,
) => (...args: A) => Promise<void>;
