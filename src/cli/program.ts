// The commands of nexusctl, as they are parsed, described, completed and written up in its pages.

import { Command } from "commander";
import { readVersion } from "../config/version.ts";
import type { Act, AddCommand } from "./context.ts";
import { SERVICE_COMMANDS } from "./services/commands.ts";

/** In the order of the help. Loaded only where they may be meant: loading all of them takes longer than most run. */
const COMMANDS: Record<string, () => Promise<AddCommand>> = {
  status: async () => (await import("./status.ts")).addStatus,
  events: async () => (await import("./events/events.ts")).addEvents,
  operations: async () => (await import("./operations/operations.ts")).addOperations,
  read: async () => (await import("./operations/read.ts")).addRead,
  write: async () => (await import("./writes/write.ts")).addWrite,
  writes: async () => (await import("./writes/writes.ts")).addWrites,
  statement: async () => (await import("./statement.ts")).addStatement,
  ...SERVICE_COMMANDS,
  page: async () => (await import("./page/page.ts")).addPage,
  audit: async () => (await import("./audit.ts")).addAudit,
  jobs: async () => (await import("./jobs.ts")).addJobs,
  sinks: async () => (await import("./sinks.ts")).addSinks,
  consumers: async () => (await import("./consumers.ts")).addConsumers,
  wait: async () => (await import("./wait.ts")).addWait,
  skill: async () => (await import("./skill/skill.ts")).addSkill,
  mcp: async () => (await import("./mcp.ts")).addMcp,
  backup: async () => (await import("./backup.ts")).addBackup,
  restore: async () => (await import("./backup.ts")).addRestore,
  db: async () => (await import("./db.ts")).addDb,
  reload: async () => (await import("./reload.ts")).addReload,
  doctor: async () => (await import("./doctor/doctor.ts")).addDoctor,
  service: async () => (await import("./service/service.ts")).addService,
  completion: async () => (await import("./completion/completion.ts")).addCompletion,
};

const EXITS = `
Exit codes: 0 done; 1 refused or failed, the problem as JSON on stdout; 2 wrong usage; 69 no daemon at the socket.
Output: tables on a terminal; JSON on stdout otherwise, or with --json.`;

export const COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/** What holds for every command; the commands themselves are still to be added. */
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

/** @param names some of COMMAND_NAMES */
export async function addCommands(program: Command, act: Act, names: readonly string[]): Promise<void> {
  for (const add of await Promise.all(names.map((name) => COMMANDS[name]?.()))) add?.(program, act);
}

/** Every command, for those who describe them and run none. */
export async function wholeProgram(): Promise<Command> {
  const program = createProgram();
  await addCommands(program, () => async () => {}, COMMAND_NAMES);
  return program;
}
