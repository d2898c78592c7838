// Finds the program of a command, as it will be looked up when it is started.

import { access, constants, stat } from "node:fs/promises";
import { delimiter, resolve } from "node:path";

/** @returns its path; undefined if there is none that this user may execute */
export async function findProgram(
  program: string,
  { directory = "", path = "" }: { directory?: string | undefined; path?: string | undefined },
): Promise<string | undefined> {
  const places = program.includes("/") ? [""] : path.split(delimiter);
  for (const place of places) {
    const file = resolve(directory, place, program);
    const isExecutable = await access(file, constants.X_OK).then(
      async () => (await stat(file)).isFile(),
      () => false,
    );
    if (isExecutable) return file;
  }
  return undefined;
}
