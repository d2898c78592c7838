// nexusctl audit: the record of every write, and whether it is whole.

import type { Command } from "commander";
import type { AuditRow } from "../writes/types.ts";
import { count, wholeNumber } from "./arguments.ts";
import { parsed, parsedExactly } from "./client.ts";
import type { Act, CliContext } from "./context.ts";
import { ask } from "./line-editor.ts";
import { shortId } from "./preview-view.ts";
import { Failed, Reported, WrongUsage } from "./problem.ts";

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

interface Verdict {
  ok: boolean;
  rows: number;
  head: string | null;
  pruned: { to: number; at: string; row: number; checkpoint: number } | null;
  brokenAt?: { sequence: number; why: string };
}

// The whole chain is walked.
const VERIFY_TIMEOUT_MS = 5 * 60_000;

export function addAudit(program: Command, act: Act): void {
  const audit = program.command("audit").description("the record of every write (operator)");

  audit
    .command("show", { isDefault: true })
    .description("show rows of the record, the oldest first")
    .option("--after <row>", "only rows after this one", wholeNumber, 0)
    .option("--limit <count>", "how many at most", count, 100)
    .option("--write <id>", "only those of one write")
    .action(
      act(async ({ client, output, io }, { after, limit, write }: ShowOptions) => {
        const query = new URLSearchParams({ after: String(after), limit: String(limit) });
        if (write !== undefined) query.set("writeId", write);
        const answer = await client.call("GET", `/v1/audit?${query}`, {
          role: "operator",
          signal: io.signal,
        });
        if (!output.isHuman) return await output.json(answer.text.trim());
        const { rows, next } = parsedExactly<{ rows: AuditRow[]; next: number }>(answer);
        await output.table(
          ["ROW", "AT", "ACTION", "WRITE", "BY", "DETAIL"],
          rows.map((row) => [
            row.sequence,
            row.at,
            row.action,
            shortId(row.writeId),
            [row.actor.user, row.actor.via].filter(Boolean).join(" "),
            row.detail,
          ]),
        );
        if (rows.length === limit) output.note(`there may be more: go on with --after ${next}`);
      }),
    );

  audit
    .command("verify")
    .description("check that no row was changed, removed or moved; exit 1 and the row if one was")
    .action(
      act(async (context) => {
        const answer = await verify(context);
        const verdict = parsed<Verdict>(answer);
        if (context.output.isHuman) await context.output.text(inWords(verdict));
        else await context.output.json(answer.text.trim());
        if (!verdict.ok) throw new Reported("the chain is broken");
      }),
    );

  audit
    .command("checkpoint")
    .description("verify the record and sign it off up to a row, which lets retention remove what is before")
    .option("--row <number>", "the last row to sign off; default: the last there is", wholeNumber)
    .option("--note <text>", "your words, kept with the checkpoint")
    .option("--yes", "do not ask; needs --row and --hash")
    .option("--hash <hash>", "the hash of that row, as you have seen it")
    .action(act(checkpoint));
}

const verify = ({ client, io }: CliContext) =>
  client.call("GET", "/v1/audit/verify", {
    role: "operator",
    signal: io.signal,
    timeoutMs: VERIFY_TIMEOUT_MS,
  });

function inWords({ ok, rows, head, pruned, brokenAt }: Verdict): string {
  if (!ok) return `The chain is broken at row ${brokenAt?.sequence ?? "?"}: ${brokenAt?.why ?? "unknown"}`;
  const count = pruned ? `rows ${pruned.to + 1} to ${rows}` : `${rows} rows`;
  const before = pruned
    ? ` ${pruned.to} rows stand before them: signed off in row ${pruned.checkpoint}, removed by ${pruned.at} (row ${pruned.row}).`
    : "";
  return `The chain holds: ${count}${head ? `, the last hash is ${head}` : ""}.${before}`;
}

/** Asks at a terminal; without one, only with `--yes --row --hash`. The daemon verifies the chain once more. */
async function checkpoint(context: CliContext, options: CheckpointOptions): Promise<void> {
  const { client, io, output } = context;
  const tty = output.isHuman ? io.tty : undefined;
  let { row: sequence, hash } = options;
  if (options.yes && (sequence === undefined || hash === undefined))
    throw new WrongUsage("--yes needs --row and --hash: what you have seen (nexusctl audit verify).");
  if (!options.yes) {
    if (!tty)
      throw new WrongUsage("Without a terminal nobody can be asked: --yes, --row and --hash are needed.");
    const verdict = parsed<Verdict>(await verify(context));
    await output.text(inWords(verdict));
    if (!verdict.ok) throw new Reported("the chain is broken");
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
  const answer = await client.call("POST", "/v1/audit/checkpoints", {
    body: { sequence, hash, ...(options.note !== undefined && { note: options.note }) },
    role: "operator",
    signal: io.signal,
    timeoutMs: VERIFY_TIMEOUT_MS,
  });
  if (!output.isHuman) return await output.json(answer.text.trim());
  const row = parsedExactly<AuditRow>(answer);
  await output.text(`Signed off: row ${row.sequence} is the checkpoint.`);
}

async function hashOf({ client, io }: CliContext, sequence: number): Promise<string> {
  const path = `/v1/audit?after=${Math.max(0, sequence - 1)}&limit=1`;
  const answer = await client.call("GET", path, { role: "operator", signal: io.signal });
  const [row] = parsedExactly<{ rows: AuditRow[] }>(answer).rows;
  if (row?.sequence === sequence) return row.hash;
  throw failed(sequence === 0 ? "The audit log has no rows yet." : `The audit log has no row ${sequence}.`);
}

const failed = (detail: string) =>
  new Failed({ title: "Nothing was signed off", detail, code: "audit_row_not_found" });
