// The commands that need only a client of the daemon, as agents call them all day: the package has them in one small
// file (bundle.ts), without the code of the others.

import type { Commands } from "./program.ts";
import { SERVICE_COMMANDS } from "./services/commands.ts";

export const LIGHT_COMMANDS = {
  status: async () => (await import("./status.ts")).addStatus,
  events: async () => (await import("./events/events.ts")).addEvents,
  operations: async () => (await import("./operations/operations.ts")).addOperations,
  read: async () => (await import("./operations/read.ts")).addRead,
  write: async () => (await import("./writes/write.ts")).addWrite,
  writes: async () => (await import("./writes/writes.ts")).addWrites,
  ...SERVICE_COMMANDS,
  jobs: async () => (await import("./jobs.ts")).addJobs,
  node: async () => (await import("./nodes.ts")).addNode,
  sinks: async () => (await import("./sinks.ts")).addSinks,
  consumers: async () => (await import("./consumers.ts")).addConsumers,
  wait: async () => (await import("./wait.ts")).addWait,
  reload: async () => (await import("./reload.ts")).addReload,
} satisfies Commands;

const TAKES_VALUE = new Set(["--socket", "--config"]);
/** Help covers all commands; the others need the code of the writes, or that of a service (bundle.ts). */
const HEAVY = new Set(["help", "sign", "statement", "import"]);

/** The light command that the arguments are for; undefined: they are, or may be, for the whole command line. */
export function lightCommandOf(argv: readonly string[]): string | undefined {
  if (argv.some((word) => HEAVY.has(word))) return undefined;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (TAKES_VALUE.has(word)) at++;
    else if (word !== "--json") return Object.hasOwn(LIGHT_COMMANDS, word) ? word : undefined;
  }
  return undefined;
}
