// nexusctl's commands as plain data, for everything that is generated from them.

import type { Argument, Command, Option } from "commander";

export interface CommandNode {
  /** From the root: `["writes", "approve"]`; empty for nexusctl itself. */
  path: string[];
  description: string;
  /** What follows the command's name: `[options] <id>`. */
  usage: string;
  /** Its own, `--help` included. */
  options: OptionNode[];
  arguments: ArgumentNode[];
  /** The text of its help after the lists; several lines. */
  notes: string;
  commands: CommandNode[];
  /** The command that is used if none of `commands` is named. */
  defaultCommand: string | undefined;
}

export interface OptionNode {
  /** As in the help: `-f, --follow`, `--wait [duration]`. */
  flags: string;
  /** `["-f", "--follow"]` */
  names: string[];
  description: string;
  /** Its value, if it takes one. */
  value: Value | undefined;
}

export interface ArgumentNode extends Value {
  description: string;
  isVariadic: boolean;
}

export interface Value {
  /** Its name in the help: `duration`. */
  name: string;
  isRequired: boolean;
  /** The allowed values; undefined: any. */
  choices: readonly string[] | undefined;
}

/** A program and everything below it. Commands that its help hides are left out. */
export function treeOf(command: Command, path: string[] = []): CommandNode {
  const help = command.createHelp();
  const commands = help
    .visibleCommands(command)
    // Each command has its own "help"; one of them is enough.
    .filter((one) => path.length === 0 || one.name() !== "help")
    .map((one) => treeOf(one, [...path, one.name()]));
  return {
    path,
    description: command.description(),
    usage: command.usage(),
    options: help.visibleOptions(command).map(optionOf),
    arguments: command.registeredArguments.map(argumentOf),
    notes: notesOf(command),
    commands,
    // commander exposes it nowhere else; a test fails if it disappears.
    defaultCommand: commands.map((one) => one.path.at(-1)).find((name) => name === defaultOf(command)),
  };
}

const defaultOf = (command: Command): unknown => Reflect.get(command, "_defaultCommandName");

function optionOf(option: Option): OptionNode {
  const { flags, short, long, description, required, optional, argChoices } = option;
  const name = /[<[]([^\]>]+)[\]>]/.exec(flags)?.[1]?.replace("...", "") ?? "";
  return {
    flags,
    names: [short, long].filter((one) => one !== undefined),
    description: withDefault(description, option),
    value: required || optional ? { name, isRequired: required, choices: argChoices } : undefined,
  };
}

const argumentOf = (argument: Argument): ArgumentNode => ({
  name: argument.name(),
  description: withDefault(argument.description, argument),
  isRequired: argument.required,
  isVariadic: argument.variadic,
  choices: argument.argChoices,
});

function withDefault(description: string, { defaultValue, argChoices }: Option | Argument): string {
  const hints = [
    argChoices ? `choices: ${argChoices.join(", ")}` : "",
    // The default of --no-wait only says that the opposite holds.
    defaultValue === undefined || typeof defaultValue === "boolean" ? "" : `default: ${defaultValue}`,
  ].filter(Boolean);
  return hints.length > 0 ? `${description} (${hints.join("; ")})`.trim() : description;
}

/** What `addHelpText` appends, which only the full help contains. */
function notesOf(command: Command): string {
  const before = command.configureOutput();
  let whole = "";
  command.configureOutput({ writeOut: (text) => (whole += text) });
  command.outputHelp();
  command.configureOutput(before);
  const help = command.helpInformation();
  return whole.startsWith(help) ? whole.slice(help.length).trim() : "";
}
