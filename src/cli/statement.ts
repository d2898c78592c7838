// nexusctl statement: shows a statement to a second reviewer, without the daemon and without a network.

import type { Command } from "commander";
import type { Act } from "./context.ts";
import { Failed, Reported } from "./problem.ts";
import { ofState } from "./terminal/colour.ts";
import { noteFingerprint } from "./writes/fingerprint.ts";
import { fileOrStdin } from "./writes/signing.ts";

export function addStatement(program: Command, act: Act): void {
  program
    .command("statement")
    .description("a statement on another machine, without the daemon")
    .command("check")
    .description(
      "recreate digest, text and request from the stored request, and compare; exit 1 with what differs",
    )
    .argument("<file>", "the output of nexusctl writes statement ID --bundle; - for stdin")
    .action(
      act(async ({ io, output }, file: string) => {
        const { checkBundle, readBundle } = await import("../writes/statement-bundle.ts");
        const bundle = readBundle(await fileOrStdin(io.stdin, file));
        if (!bundle)
          throw new Failed({
            title: "Nothing was checked",
            detail: `${file} is not the output of nexusctl writes statement ID --bundle: a statement with its stored request.`,
            code: "statement_malformed",
          });
        const checks = checkBundle(bundle);
        const ok = checks.every((one) => one.ok !== false);
        const { statement, decision, write } = bundle;
        if (output.isHuman) {
          for (const line of statement.split("\n")) await output.text(line);
          for (const { check, ok, detail } of checks)
            await output.text([ofState(ok ? "ok" : ok === null ? "warn" : "fail"), `  ${check}: ${detail}`]);
        } else await output.json(JSON.stringify({ ok, decision, writeId: write.id, checks }));
        await noteFingerprint(output, statement);
        if (!ok) throw new Reported("the statement does not match the stored request: do not sign it");
      }),
    );
}
