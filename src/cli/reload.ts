// nexusctl reload: has the daemon read its configuration again.

import type { Command } from "commander";
import type { ReloadResult } from "../contract/api/reload.ts";
import { parsed } from "./client.ts";
import type { Act } from "./context.ts";

export function addReload(program: Command, act: Act): void {
  program
    .command("reload")
    .description("read the configuration again; an invalid one changes nothing (operator)")
    .action(
      act(async ({ client, output, io }) => {
        const answer = await client.call("POST", "/v1/reload", { role: "operator", signal: io.signal });
        if (!output.isHuman) return await output.json(answer.text.trim());
        const { applied, restartNeeded } = parsed<ReloadResult>(answer);
        if (applied.length + restartNeeded.length === 0) output.note("nothing changed");
        if (applied.length > 0) output.note(`applied: ${applied.join(", ")}`);
        if (restartNeeded.length > 0)
          output.note(`changed, but needs a restart: ${restartNeeded.join(", ")}`);
      }),
    );
}
