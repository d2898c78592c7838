// nexusctl reload: makes the daemon read its configuration again.

import type { Command } from "commander";
import { type Act, jsonOf } from "./context.ts";

export function addReload(program: Command, act: Act): void {
  program
    .command("reload")
    .description("reload the configuration; an invalid one changes nothing (operator)")
    .action(
      act(async ({ client, output, io }) => {
        const answer = await client.reload({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(answer));
        const { applied, restartNeeded } = answer;
        if (applied.length + restartNeeded.length === 0) output.note("nothing changed");
        if (applied.length > 0) output.note(`applied: ${applied.join(", ")}`);
        if (restartNeeded.length > 0)
          output.note(`changed, but needs a restart: ${restartNeeded.join(", ")}`);
      }),
    );
}
