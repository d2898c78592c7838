// What all commands of nexusctl share; the commands themselves are in commands.ts.

import { Command } from "commander";
import { readVersion } from "../config/version.ts";
import type { Act, AddCommand } from "./context.ts";

const EXITS = `
Exit codes: 0 done; 1 refused or failed, the problem as JSON on stdout; 2 wrong usage; 69 no daemon at the socket.
Output: tables on a terminal; JSON on stdout otherwise, or with --json.`;

/** By name. Loaded only if it may be needed: loading all of them takes longer than most runs. */
export type Commands = Readonly<Record<string, () => Promise<AddCommand>>>;

/** The program without its commands. */
export const createProgram = (): Command =>
  new Command("nexusctl")
    .description("The command line of nexusd.")
    .version(readVersion())
    .option(
      "--socket <path>",
      "the daemon's socket; default: $NEXUSD_AGENT_SOCKET, $NEXUSD_OPERATOR_SOCKET, the config",
    )
    .option("--config <file>", "the daemon's configuration, which says where its sockets are")
    .option("--json", "print JSON, even on a terminal")
    .addHelpText("after", EXITS);

/** @param names some keys of `commands` */
export async function addCommands(
  program: Command,
  act: Act,
  commands: Commands,
  names: readonly string[],
): Promise<void> {
  for (const add of await Promise.all(names.map((name) => commands[name]?.()))) add?.(program, act);
}
