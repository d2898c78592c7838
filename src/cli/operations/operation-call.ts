// What `read` and `write` share: an operation, its input, and help made from its schema.

import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { WrongUsage } from "../problem.ts";
import { helpOf, schemaOf } from "./operation-help.ts";
import { buildInput } from "./operation-input.ts";
import { findOperation } from "./operations.ts";
import { json } from "./typed-value.ts";

export interface CallOptions {
  input?: string;
  help?: boolean;
}

const ARGUMENTS = `
Arguments: key=value gets its type from the operation's schema; attributes.name=Acme sets a field of an object; a key
given again adds to its array; key:=JSON takes any JSON. "OPERATION --help" lists the keys.`;

/** The arguments and options of both. `--help` after an operation is for that operation. */
export const addCall = (command: Command): Command =>
  command
    .usage("<operation> [options] [key=value...]")
    .argument("[operation]", "its name; see: nexusctl operations")
    .argument("[arguments...]", "key=value or key:=JSON")
    .option("--input <json>", "the input as JSON; @FILE reads a file, - reads stdin")
    .helpOption(false)
    .option("-h, --help", "describe the operation and its input")
    .addHelpText("after", ARGUMENTS);

/** @throws WrongUsage without an operation, if no help was requested */
export async function printHelp(
  context: CliContext,
  command: Command,
  name: string | undefined,
  { help }: CallOptions,
): Promise<void> {
  if (name === undefined) {
    if (!help)
      throw new WrongUsage(
        `Which operation? See: nexusctl operations, and nexusctl ${command.name()} --help`,
      );
    return command.outputHelp();
  }
  const { operation } = await findOperation(context, name);
  for (const line of helpOf(operation)) await context.output.text(line);
}

/**
 * The input that the options and arguments of a command describe. The schema is fetched only if an argument needs it.
 * @throws WrongUsage
 */
export async function inputOf(
  context: CliContext,
  name: string,
  args: readonly string[],
  given: string | undefined,
): Promise<unknown> {
  const base = given === undefined ? {} : json(await textOf(context, given, "--input"), "--input");
  if (args.length === 0) return base;
  const { operation } = await findOperation(context, name);
  return buildInput(base, args, schemaOf(operation));
}

/** The value of an option or argument: `-` stdin, `@FILE` a file, else the text itself. @throws WrongUsage naming it */
export async function textOf({ io }: CliContext, given: string, what: string): Promise<string> {
  if (given === "-") {
    let text = "";
    io.stdin.setEncoding("utf8");
    for await (const chunk of io.stdin) text += chunk;
    return text;
  }
  if (!given.startsWith("@")) return given;
  try {
    // Not imported: hardly any call reads a file, and it takes half a megabyte.
    return await process.getBuiltinModule("node:fs/promises").readFile(given.slice(1), "utf8");
  } catch (error) {
    throw new WrongUsage(`${what}: ${error instanceof Error ? error.message : error}`);
  }
}
