// What every command of nexusctl is given.

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
  /** What the client stands on, for answers that are no JSON, and for following the log as it is stored. */
  transport: Transport;
  options: GlobalOptions;
}

/** Turns a command's work into a commander action: the context first, then the command's own arguments. */
export type Act = <A extends unknown[]>(
  work: (context: CliContext, ...args: A) => Promise<void>,
) => (...args: A) => Promise<void>;

/** Adds a command to the program, or to the family that it belongs to. */
export type AddCommand = (program: Command, act: Act) => void;

/** The JSON of an answer, digit by digit as the daemon sent it. */
export const jsonOf = (answer: object): string => answerOf(answer).text.trim();
