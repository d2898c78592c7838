// The token of a bound consumer or write. Never on the command line, which every user of the machine can read.

import type { PlacedConsumer } from "../contract/api/consumers.ts";
import type { CliContext } from "./context.ts";
import { textOf } from "./operations/operation-call.ts";
import { WrongUsage } from "./problem.ts";

const VARIABLE = "NEXUSD_TOKEN";

/** The help text of `--token`, for every command that has it. */
export const TOKEN_OPTION = [
  "--token <source>",
  `its token, if it needs one: @FILE, or - for stdin; default: $${VARIABLE}`,
] as const;

/**
 * The token to present; undefined if there is none.
 * @param source the value of `--token`
 * @throws WrongUsage
 */
export async function shownToken(
  context: CliContext,
  source: string | undefined,
): Promise<string | undefined> {
  const token = (await read(context, source))?.trim();
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new WrongUsage(`${source === undefined ? `$${VARIABLE}` : "--token"} contains no token.`);
  return token;
}

async function read(context: CliContext, source: string | undefined): Promise<string | undefined> {
  if (source === undefined) return context.io.env[VARIABLE] || undefined;
  if (source !== "-" && !source.startsWith("@"))
    throw new WrongUsage(
      `Every user of this machine can read command lines. Give the token as --token @FILE, --token - or $${VARIABLE}.`,
    );
  return await textOf(context, source, "--token");
}

/** Shown once, for its creator to keep: nexusd stores only its hash. */
export function tellToken({ output }: CliContext, { token }: Pick<PlacedConsumer, "token">): void {
  if (token !== undefined) output.note(`its token, which is shown only now: ${token}`);
}
