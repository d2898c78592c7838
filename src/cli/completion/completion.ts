// nexusctl completion: prints the completion script of a shell.

import type { Command } from "commander";
import type { Act } from "../context.ts";
import { SHELLS, scriptFor } from "./shells.ts";

const NOTES = `
For this shell:
  source <(nexusctl completion bash)      also zsh, after compinit
  nexusctl completion fish | source

For every new one:
  nexusctl completion bash > ~/.local/share/bash-completion/completions/nexusctl
  nexusctl completion zsh > _nexusctl     in a directory of $fpath
  nexusctl completion fish > ~/.config/fish/completions/nexusctl.fish`;

export function addCompletion(program: Command, act: Act): void {
  const completion = program
    .command("completion")
    .description("print a completion script for a shell")
    .addHelpText("after", NOTES);
  for (const shell of SHELLS)
    completion
      .command(shell)
      .description(`for ${shell}`)
      .action(
        act(async ({ io }) => {
          io.stdout.write(scriptFor(shell));
        }),
      );
}
