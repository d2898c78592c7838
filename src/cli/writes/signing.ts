// nexusctl writes statement, sign and decide: decisions made away from the daemon's machine, by a person with a key.

import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { type Command, Option } from "commander";
import { answerOf } from "../../client/request.ts";
import type { WriteView } from "../../contract/api/writes.ts";
import { DECISIONS, type Decision } from "../../contract/signing.ts";
import { type Act, type CliContext, jsonOf } from "../context.ts";
import { WrongUsage } from "../problem.ts";
import { ofState } from "../terminal/colour.ts";
import { noteFingerprint } from "./fingerprint.ts";
import { stateOf } from "./preview-view.ts";
import { type SignOptions, sign } from "./sign.ts";
import { wholeId } from "./write-id.ts";

interface DecideOptions {
  decision: Decision;
  statement?: string;
  signature: string;
  signer: string;
}

const decisionOption = () =>
  new Option("--decision <decision>", "the decision that the statement states")
    .choices(DECISIONS)
    .default("approve");

export function addSigning(writes: Command, act: Act): void {
  writes
    .command("statement")
    .description("print a decision about a write as the text that is signed, byte for byte")
    .argument("<id>", "its id, or the start or end of it")
    .addOption(decisionOption())
    .option("--bundle", "with the stored request, as a file for: nexusctl statement check FILE")
    .action(
      act(async (context, given: string, options: { decision: Decision; bundle?: boolean }) => {
        const { client, io, output } = context;
        const { decision } = options;
        const id = await wholeId(context, given, "either end", "agent");
        const statement = await client.writes.statement(id, decision, { signal: io.signal });
        if (options.bundle) {
          const write = await client.writes.get(id, { signal: io.signal });
          // Loaded only here: it brings in the operations of all services.
          const { bundleText } = await import("../../writes/statement-bundle.ts");
          const epoch = answerOf(write).epoch ?? "";
          await output.exactly(bundleText({ write, epoch, decision, statement }));
        } else
          await (context.options.json
            ? output.json(JSON.stringify({ statement }))
            : output.exactly(statement));
        await noteFingerprint(output, statement);
      }),
    );

  writes
    .command("sign")
    .description("look at a write and sign a decision about it with an SSH key")
    .argument("<id>", "its id, or the start of it")
    .requiredOption("--key <file>", "as for ssh-keygen -f: a private key, a certificate, a key of the agent")
    .addOption(decisionOption())
    .option("--decide", "send the signature to the daemon at once; needs --signer")
    .option("--signer <name>", "your name in the daemon's file of signers")
    .option("--digest <digest>", "the digest of what you reviewed")
    .option("--yes", "show nothing and do not ask, for scripts; needs --digest")
    .action(act((context, given: string, options: SignOptions) => sign(context, given, options)));

  writes
    .command("decide")
    .description("send a decision that was signed elsewhere")
    .argument("<id>", "its id, or the start or end of it")
    .requiredOption("--signature <file>", "the output of ssh-keygen -Y sign; - for stdin")
    .requiredOption("--signer <name>", "the signer's name in the daemon's file of signers")
    .option("--statement <file>", "the text that was signed; default: the daemon's current one")
    .addOption(decisionOption())
    .action(act(decide));
}

async function decide(context: CliContext, given: string, options: DecideOptions): Promise<void> {
  const { client, io } = context;
  const { decision, signer } = options;
  const id = await wholeId(context, given, "either end", "agent");
  const { signal } = io;
  const signature = await fileOrStdin(io.stdin, options.signature);
  const statement =
    options.statement === undefined
      ? await client.writes.statement(id, decision, { signal })
      : await fileOrStdin(io.stdin, options.statement);
  await printDecided(context, await client.writes.decide(id, { statement, signature, signer }, { signal }));
}

/** @throws WrongUsage */
export async function fileOrStdin(stdin: NodeJS.ReadableStream, name: string): Promise<string> {
  if (name === "-") return await readAll(stdin);
  try {
    return await readFile(name, "utf8");
  } catch (error) {
    throw new WrongUsage(`${name} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

export async function printDecided({ output }: CliContext, write: WriteView): Promise<void> {
  if (!output.isHuman) return await output.json(jsonOf(write));
  await output.text([`${write.id}  ${write.operation}  `, ofState(write.state, stateOf(write))]);
  if (write.state === "proposed")
    output.note(
      `signed by ${write.signedBy.map(({ signer }) => signer).join(", ")}; the policy requires more`,
    );
}
