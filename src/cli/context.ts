// What every command of nexusctl receives.

import type { Command } from "commander";
import type { Client } from "../client/client.ts";
import { answerOf } from "../client/request.ts";
import type { Transport } from "../client/transport.ts";
import type { GlobalOptions, SocketChoice } from "./sockets.ts";
import type { Io, Output } from "./terminal/output.ts";

export interface CliContext {
  io: Io;
  output: Output;
  sockets: SocketChoice;
  client: Client;
  /** The layer below the client, for answers that are not JSON, and for following the log as stored. */
  transport: Transport;
  options: GlobalOptions;
}

/** Turns a command's work into a commander action: the context first, then the command's own arguments. */
export type Act = <A extends unknown[]>(
  work: (context: CliContext, ...args: A) => Promise<void>,
) => (...args: A) => Promise<void>;

/** Adds a command to the program, or to its command group. */
export type AddCommand = (program: Command, act: Act) => void;

/** The JSON of an answer, digit for digit as the daemon sent it. */
export const jsonOf = (answer: object): string => answerOf(answer).text.trim();
