// nexusctl as a function with the given commands: arguments in, exit code out.

import { CommanderError } from "commander";
import { clientOver } from "../client/client.ts";
import { NexusdError } from "../client/error.ts";
import { createTransport } from "../client/transport.ts";
import { systemClock } from "../core/clock.ts";
import { chooseGlyphs } from "../core/text/glyphs.ts";
import type { Act } from "./context.ts";
import { commandNamed, findCommand, helpWanted } from "./help.ts";
import { takeText } from "./operands.ts";
import { Ended, EXIT, Failed, NoDaemon, problemLines, Reported, WrongUsage } from "./problem.ts";
import { addCommands, type Commands, createProgram } from "./program.ts";
import { chooseSockets, type GlobalOptions } from "./sockets.ts";
import { createOutput, type Io, type Output } from "./terminal/output.ts";

const INTERRUPTED = 130;

/**
 * @param commands only those that may be meant are loaded
 * @param argv without node and script
 * @returns the exit code; throws only if stdout is closed
 */
export async function runWith(commands: Commands, argv: readonly string[], io: Io): Promise<number> {
  chooseGlyphs(io.env);
  const program = createProgram()
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
      // No keep-alive: most commands send one request, and the exit must not wait for an open connection.
      const transport = createTransport(sockets, { keepAlive: false });
      const client = clientOver(transport, { clock: systemClock, random: Math.random });
      await work({ io, output, sockets, client, transport, options }, ...args);
    };
  await addCommands(program, act, commands, meantIn(argv, Object.keys(commands)));
  takeText(program);

  try {
    const topic = helpWanted(program, argv);
    if (topic) findCommand(program, topic).outputHelp();
    else await program.parseAsync(argv, { from: "user" });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === "commander.unknownOption")
        output.note('put a value that begins with "-" after "--", after all options');
      if (error.code === "commander.excessArguments")
        output.note(`see: nexusctl help ${commandNamed(program, argv).join(" ")}`.trimEnd());
      return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    }
    if (io.signal.aborted) return INTERRUPTED;
    if (error instanceof Ended) return error.exitCode;
    if (error instanceof Reported) return EXIT.failed;
    if (error instanceof WrongUsage) {
      output.note(error.message);
      return EXIT.usage;
    }
    const failure = error instanceof NexusdError ? error : unexpected(error);
    for (const line of problemLines(failure.problem)) output.note(line);
    if (!output.isHuman) await output.json(failure.json);
    return failure instanceof NoDaemon ? EXIT.noDaemon : EXIT.failed;
  }
}

/** Those among the arguments; all if there is none, or if help is requested. */
function meantIn(argv: readonly string[], names: readonly string[]): readonly string[] {
  const meant = argv.includes("help") ? [] : names.filter((name) => argv.includes(name));
  return meant.length > 0 ? meant : names;
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
