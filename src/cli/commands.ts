// The commands of nexusctl: used for parsing, help, completion and manual pages.

import type { Command } from "commander";
import { LIGHT_COMMANDS } from "./light-commands.ts";
import { addCommands, type Commands, createProgram } from "./program.ts";
import { SERVICE_COMMANDS } from "./services/commands.ts";

const light = LIGHT_COMMANDS;

/** In the order of the help. */
export const COMMANDS: Commands = {
  ...{ status: light.status, events: light.events, operations: light.operations },
  ...{ read: light.read, write: light.write, writes: light.writes },
  statement: async () => (await import("./statement.ts")).addStatement,
  ...SERVICE_COMMANDS,
  page: async () => (await import("./page/page.ts")).addPage,
  audit: async () => (await import("./audit.ts")).addAudit,
  ...{ jobs: light.jobs, node: light.node, sinks: light.sinks, consumers: light.consumers, wait: light.wait },
  skill: async () => (await import("./skill/skill.ts")).addSkill,
  mcp: async () => (await import("./mcp.ts")).addMcp,
  backup: async () => (await import("./backup.ts")).addBackup,
  restore: async () => (await import("./backup.ts")).addRestore,
  db: async () => (await import("./db.ts")).addDb,
  reload: light.reload,
  doctor: async () => (await import("./doctor/doctor.ts")).addDoctor,
  service: async () => (await import("./service/service.ts")).addService,
  completion: async () => (await import("./completion/completion.ts")).addCompletion,
};

/** Every command, for callers that describe them and run none. */
export async function wholeProgram(): Promise<Command> {
  const program = createProgram();
  await addCommands(program, () => async () => {}, COMMANDS, Object.keys(COMMANDS));
  return program;
}
