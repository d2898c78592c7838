// nexusctl completion: what a shell needs to complete its commands.

import type { Command } from "commander";
import type { Act } from "../context.ts";
import { SHELLS, scriptFor } from "./shells.ts";

const NOTES = `
For the shell that runs:
  source <(nexusctl completion bash)      also zsh, after compinit
  nexusctl completion fish | source

For good, as any file of that name there:
  nexusctl completion bash > ~/.local/share/bash-completion/completions/nexusctl
  nexusctl completion zsh > _nexusctl     in a directory of $fpath
  nexusctl completion fish > ~/.config/fish/completions/nexusctl.fish`;

export function addCompletion(program: Command, act: Act): void {
  const completion = program
    .command("completion")
    .description("print the script by which a shell completes nexusctl")
    .addHelpText("after", NOTES);
  for (const shell of SHELLS)
    completion
      .command(shell)
      .description(`that of ${shell}`)
      .action(
        act(async ({ io }) => {
          io.stdout.write(scriptFor(shell));
        }),
      );
}
