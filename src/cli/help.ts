// nexusctl help: the help of any command, at any depth.

import type { Command } from "commander";
import { nearest } from "../core/text/nearest.ts";
import { WrongUsage } from "./problem.ts";

/** The command whose help is requested: `["writes", "approve"]` for "nexusctl help writes approve"; undefined: none. */
export function helpWanted(program: Command, argv: readonly string[]): string[] | undefined {
  const words = wordsOf(program, argv);
  return words[0] === "help" ? words.slice(1) : undefined;
}

/** The arguments that are neither options of the program nor their values. */
function wordsOf({ options }: Command, argv: readonly string[]): string[] {
  const takesValue = (word = "") => options.some(({ required, long }) => required && long === word);
  return argv.filter((word, at) => !word.startsWith("-") && !takesValue(argv[at - 1]));
}

/** The arguments that name a command: `["operations"]` for "operations nexus.orders.list". */
export function commandNamed(program: Command, argv: readonly string[]): string[] {
  const names: string[] = [];
  let command: Command | undefined = program;
  for (const word of wordsOf(program, argv)) {
    command = command?.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (!command) break;
    names.push(word);
  }
  return names;
}

/** @throws WrongUsage for an unknown command, with the nearest ones */
export function findCommand(program: Command, words: readonly string[]): Command {
  let command = program;
  for (const [at, word] of words.entries()) {
    const found = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (found) {
      command = found;
      continue;
    }
    // "help read nexus.orders.get": the help of read explains how to get that of an operation.
    if (command.registeredArguments.length > 0) return command;
    const known = command.commands.map((one) => one.name()).filter((name) => name !== "help");
    const near = nearest(word, known).slice(0, 3);
    const path = ["nexusctl", ...words.slice(0, at)].join(" ");
    throw new WrongUsage(
      `${path} has no command "${word}"${near.length > 0 ? `; did you mean ${near.join(" or ")}?` : `: it has ${known.join(", ")}.`}`,
    );
  }
  return command;
}
