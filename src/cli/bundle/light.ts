// nexusctl with only its light commands: light.cjs of the bundle.

import { LIGHT_COMMANDS, lightCommandOf } from "../light-commands.ts";
import { runProcess } from "../process.ts";
import { runWith } from "../run-with.ts";

/** Runs until the process ends. @returns false: the arguments are, or may be, for another command */
export function startLight(argv: readonly string[]): boolean {
  if (lightCommandOf(argv) === undefined) return false;
  void runProcess((argv, io) => runWith(LIGHT_COMMANDS, argv, io));
  return true;
}
