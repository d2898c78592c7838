// The token of what is bound to who made it. Never on the command line, which every user of the machine can read.

import type { PlacedConsumer } from "../contract/api/consumers.ts";
import type { CliContext } from "./context.ts";
import { textOf } from "./operations/operation-call.ts";
import { WrongUsage } from "./problem.ts";

const VARIABLE = "NEXUSD_TOKEN";

/** What `--token` says in the help of every command that has it. */
export const TOKEN_OPTION = [
  "--token <source>",
  `the token that it was made with, where it is bound to one: @FILE, or - for stdin; default: $${VARIABLE}`,
] as const;

/**
 * The token to show; undefined where there is none.
 * @param source as `--token` gives it
 * @throws WrongUsage
 */
export async function shownToken(
  context: CliContext,
  source: string | undefined,
): Promise<string | undefined> {
  const token = (await read(context, source))?.trim();
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new WrongUsage(`${source === undefined ? `$${VARIABLE}` : "--token"} has no token in it.`);
  return token;
}

async function read(context: CliContext, source: string | undefined): Promise<string | undefined> {
  if (source === undefined) return context.io.env[VARIABLE] || undefined;
  if (source !== "-" && !source.startsWith("@"))
    throw new WrongUsage(
      `What is on the command line, every user of this machine can read. Give the token as --token @FILE, --token - or $${VARIABLE}.`,
    );
  return await textOf(context, source, "--token");
}

/** To be kept by whoever made it: nexusd has only its hash. */
export function tellToken({ output }: CliContext, { token }: Pick<PlacedConsumer, "token">): void {
  if (token !== undefined) output.note(`its token, which is told only now: ${token}`);
}
