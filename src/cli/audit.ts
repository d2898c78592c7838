// nexusctl audit: the record of every write, and whether it is intact.

import { type Command, InvalidArgumentError } from "commander";
import type { AuditVerdictView } from "../contract/api/audit.ts";
import { whatIsWrong } from "../contract/audit.ts";
import { stringifyJson } from "../core/exact-json.ts";
import { count, wholeNumber } from "./arguments.ts";
import type { SignedVerdict, VerifyOptions } from "./audit-signatures.ts";
import { type Act, type CliContext, jsonOf } from "./context.ts";
import { Failed, Reported, WrongUsage } from "./problem.ts";
import { ofState } from "./terminal/colour.ts";
import { ask } from "./terminal/line-editor.ts";
import { shortId, whoOf } from "./writes/preview-view.ts";

interface ShowOptions {
  after: number;
  limit: number;
  write?: string;
}

interface CheckpointOptions {
  row?: number;
  hash?: string;
  note?: string;
  yes?: boolean;
}

export function addAudit(program: Command, act: Act): void {
  const audit = program
    .command("audit")
    .description("show and verify the audit log of the writes (operator)");

  audit
    .command("show", { isDefault: true })
    .description("show rows of the audit log, oldest first")
    .option("--after <row>", "only rows after this one", wholeNumber, 0)
    .option("--limit <count>", "how many at most", count, 100)
    .option("--write <id>", "only the rows of one write")
    .action(
      act(async ({ client, output, io }, { after, limit, write }: ShowOptions) => {
        const page = await client.audit.rows({
          ...{ after, limit, ...(write !== undefined && { writeId: write }), signal: io.signal },
        });
        if (!output.isHuman) return await output.json(jsonOf(page));
        const { rows, next } = page;
        await output.table(
          ["ROW", "AT", "ACTION", "WRITE", "BY", "DETAIL"],
          rows.map((row) => [
            row.sequence,
            row.at,
            ofState(row.action),
            shortId(row.writeId),
            whoOf(row.actor),
            row.detail,
          ]),
        );
        if (rows.length === limit) output.note(`there may be more: continue with --after ${next}`);
      }),
    );

  audit
    .command("verify")
    .description(
      "check that no row was changed, removed or moved, and that the writes match; exit 1 with what does not",
    )
    .option("--head <hash>", "a hash that you noted: check that it is still in the chain", headHash)
    .option("--signers <file>", "an allowed_signers file: check every signed decision again, as of its time")
    .option("--copy <file>", "a copy of the database (nexusctl backup), instead of asking the daemon")
    .action(
      act(async (context, options: VerifyOptions) => {
        const { output } = context;
        if (options.signers === undefined && options.copy === undefined) {
          const verdict = await verify(context, options.head);
          if (output.isHuman) await output.text(inWords(verdict));
          else await output.json(jsonOf(verdict));
          if (!verdict.ok) throw new Reported("the audit log is not intact");
          return;
        }
        // Loaded only here: it brings in the database and the code of the writes.
        const { verifySigned } = await import("./audit-signatures.ts");
        const { verdict, signatures } = await verifySigned(context, options);
        if (output.isHuman)
          for (const line of [inWords(verdict), ...(signatures ? [signaturesInWords(signatures)] : [])])
            await output.text(line);
        else await output.json(stringifyJson({ ...verdict, ...(signatures && { signatures }) }));
        if (!verdict.ok) throw new Reported("the audit log is not intact");
        if (signatures && signatures.badCount > 0) throw new Reported("not every signed decision is valid");
      }),
    );

  audit
    .command("checkpoint")
    .description(
      "verify the audit log and sign it off up to a row; retention may then remove the rows before it",
    )
    .option("--row <number>", "the last row to sign off; default: the newest", wholeNumber)
    .option("--note <text>", "a note, kept with the checkpoint")
    .option("--yes", "do not ask; needs --row and --hash")
    .option("--hash <hash>", "the hash of that row, as you have seen it")
    .action(act(checkpoint));
}

const verify = ({ client, io }: CliContext, head?: string) =>
  client.audit.verify(head, { signal: io.signal });

const headHash = (text: string): string => {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError("must be a hash: 64 digits 0-9 and a-f");
};

function inWords(verdict: AuditVerdictView): string {
  const { ok, rows, head, pruned, changed, changedCount, noted } = verdict;
  if (!ok) {
    const more = changed.slice(1).map(({ writeId, why }) => `  write ${writeId}: ${why}`);
    const left = changedCount - changed.length;
    return [whatIsWrong(verdict), ...more, ...(left > 0 ? [`  … and ${left} more`] : [])].join("\n");
  }
  const count = pruned ? `rows ${pruned.to + 1} to ${rows}` : `${rows} rows`;
  const before = pruned
    ? ` ${pruned.to} rows before them were signed off in row ${pruned.checkpoint} and removed by ${pruned.at} (row ${pruned.row}).`
    : "";
  const found = noted ? ` The noted hash is that of row ${noted.row}.` : "";
  return `The chain is intact: ${count}${head ? `, the last hash is ${head}` : ""}.${before}${found}`;
}

function signaturesInWords({ checked, bad, badCount }: SignedVerdict): string {
  if (badCount === 0)
    return `${checked} signed decisions are valid: each was signed by a key that its signer had then.`;
  const left = badCount - bad.length;
  return [
    `${badCount} of ${checked} signed decisions are not valid:`,
    ...bad.map(({ row, writeId, signer, why }) => `  row ${row}, write ${writeId}, ${signer}: ${why}`),
    ...(left > 0 ? [`  … and ${left} more`] : []),
  ].join("\n");
}

/** Asks at a terminal; without one, only with `--yes --row --hash`. The daemon verifies the chain once more. */
async function checkpoint(context: CliContext, options: CheckpointOptions): Promise<void> {
  const { client, io, output } = context;
  const tty = output.isHuman ? io.tty : undefined;
  let { row: sequence, hash } = options;
  if (!options.yes) {
    if (!tty) throw new WrongUsage("There is no terminal to ask on: give --yes, --row and --hash.");
    const verdict = await verify(context);
    await output.text(inWords(verdict));
    if (!verdict.ok) throw new Reported("the audit log is not intact");
    sequence ??= verdict.rows;
    const seen = await hashOf(context, sequence);
    if (hash !== undefined && hash !== seen) throw failed(`Row ${sequence} has another hash than --hash.`);
    hash = seen;
    await output.text(
      `Row ${sequence} has the hash ${hash}. Keep it elsewhere: it proves all rows up to it.`,
    );
    const question = `Sign off rows 1 to ${sequence}, which may then be removed? [y/N] `;
    if (!/^\s*y(es)?\s*$/i.test((await ask(tty, question, io.signal)) ?? "")) {
      output.note("not signed off");
      throw new Reported("not signed off");
    }
  }
  if (sequence === undefined || hash === undefined)
    throw new WrongUsage("--yes needs --row and --hash, as nexusctl audit verify shows them.");
  const row = await client.audit.signOff({ sequence, hash, note: options.note }, { signal: io.signal });
  if (!output.isHuman) return await output.json(jsonOf(row));
  await output.text(`Signed off: row ${row.sequence} is the checkpoint.`);
}

async function hashOf({ client, io }: CliContext, sequence: number): Promise<string> {
  const after = Math.max(0, sequence - 1);
  const [row] = (await client.audit.rows({ after, limit: 1, signal: io.signal })).rows;
  if (row?.sequence === sequence) return row.hash;
  throw failed(sequence === 0 ? "The audit log has no rows yet." : `The audit log has no row ${sequence}.`);
}

const failed = (detail: string) =>
  new Failed({ title: "Nothing was signed off", detail, code: "audit_row_not_found" });
