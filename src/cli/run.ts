// nexusctl as a function with all its commands: arguments in, exit code out.

import { chooseGlyphs } from "../core/text/glyphs.ts";
import { COMMANDS } from "./commands.ts";
import { EXIT } from "./problem.ts";
import { runWith } from "./run-with.ts";
import type { Io } from "./terminal/output.ts";

/** @param argv without node and script. @returns the exit code; throws only if stdout is closed */
export async function run(argv: string[], io: Io): Promise<number> {
  chooseGlyphs(io.env);
  // The words are those of another command line: none of them is an option or a request for help.
  if (argv[0] === "__complete") {
    const { complete } = await import("./completion/complete.ts");
    await complete(argv.slice(1), io);
    return EXIT.done;
  }
  return await runWith(COMMANDS, argv, io);
}
