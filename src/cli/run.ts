// nexusctl as a function: arguments in, exit code out.

import { Command, CommanderError } from "commander";
import { readVersion } from "../daemon/version.ts";
import { createClient } from "./client.ts";
import type { Act } from "./context.ts";
import { createOutput, type Io, type Output } from "./output.ts";
import { EXIT, Failed, NoDaemon, problemLines, Reported, WrongUsage } from "./problem.ts";
import { chooseSockets, type GlobalOptions } from "./sockets.ts";

/** In the order of the help. Loaded only where they may be meant: loading all of them takes longer than most run. */
const COMMANDS: Record<string, () => Promise<(program: Command, act: Act) => void>> = {
  status: async () => (await import("./status.ts")).addStatus,
  events: async () => (await import("./events.ts")).addEvents,
  insights: async () => (await import("./insights.ts")).addInsights,
  operations: async () => (await import("./operations.ts")).addOperations,
  read: async () => (await import("./read.ts")).addRead,
  write: async () => (await import("./write.ts")).addWrite,
  writes: async () => (await import("./writes.ts")).addWrites,
  messaging: async () => (await import("./messaging.ts")).addMessaging,
  audit: async () => (await import("./audit.ts")).addAudit,
  jobs: async () => (await import("./jobs.ts")).addJobs,
  consumers: async () => (await import("./consumers.ts")).addConsumers,
  import: async () => (await import("./import.ts")).addImport,
  backup: async () => (await import("./backup.ts")).addBackup,
  restore: async () => (await import("./backup.ts")).addRestore,
  db: async () => (await import("./db.ts")).addDb,
  reload: async () => (await import("./reload.ts")).addReload,
  doctor: async () => (await import("./doctor.ts")).addDoctor,
};

const INTERRUPTED = 130;

const EXITS = `
Exit codes: 0 done; 1 refused or failed, the problem as JSON on stdout; 2 wrong usage; 69 no daemon at the socket.
Output: tables on a terminal; JSON on stdout otherwise, or with --json.`;

/** @param argv without node and script. @returns the exit code; nothing is thrown but a closed stdout */
export async function run(argv: string[], io: Io): Promise<number> {
  const program = new Command("nexusctl");
  program
    .description("The command line of nexusd.")
    .version(readVersion())
    .option(
      "--socket <path>",
      "the daemon's socket; default: $NEXUSD_AGENT_SOCKET, $NEXUSD_OPERATOR_SOCKET, the config",
    )
    .option("--config <file>", "the daemon's configuration, which says where its sockets are")
    .option("--json", "JSON on stdout even on a terminal")
    .addHelpText("after", EXITS)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.terminal?.columns ?? 100,
      getErrHelpWidth: () => io.terminal?.columns ?? 100,
    });

  let output: Output = createOutput(io, false);
  const act: Act =
    (work) =>
    async (...args) => {
      const options = program.opts<GlobalOptions>();
      output = createOutput(io, options.json ?? false);
      const sockets = chooseSockets(options, io.env, output.note);
      await work({ io, output, sockets, client: createClient(sockets), options }, ...args);
    };
  for (const add of await commandsIn(argv)) add(program, act);

  try {
    await program.parseAsync(argv, { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    if (io.signal.aborted) return INTERRUPTED;
    if (error instanceof Reported) return EXIT.failed;
    if (error instanceof WrongUsage) {
      output.note(error.message);
      return EXIT.usage;
    }
    const failure = error instanceof Failed ? error : unexpected(error);
    for (const line of problemLines(failure.problem)) output.note(line);
    if (!output.isHuman) await output.json(failure.json);
    return failure instanceof NoDaemon ? EXIT.noDaemon : EXIT.failed;
  }
}

/** Those whose names are among the arguments; all where none is, or help is asked for. */
function commandsIn(argv: string[]) {
  const names = Object.keys(COMMANDS);
  const meant = argv.includes("help") ? [] : names.filter((name) => argv.includes(name));
  return Promise.all((meant.length > 0 ? meant : names).map((name) => COMMANDS[name]?.() ?? (() => {})));
}

const unexpected = (cause: unknown) =>
  new Failed(
    {
      title: "Internal error",
      detail: `nexusctl failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`,
      code: "internal_error",
    },
    { cause },
  );
