// nexusctl audit: the record of every write, and whether it is whole.

import type { Command } from "commander";
import type { AuditRow } from "../writes/types.ts";
import { count, wholeNumber } from "./arguments.ts";
import { parsed, parsedExactly } from "./client.ts";
import type { Act } from "./context.ts";
import { shortId } from "./preview-view.ts";
import { Reported } from "./problem.ts";

interface ShowOptions {
  after: number;
  limit: number;
  write?: string;
}

interface Verdict {
  ok: boolean;
  rows: number;
  head: string | null;
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
      act(async ({ client, output, io }) => {
        const answer = await client.call("GET", "/v1/audit/verify", {
          role: "operator",
          signal: io.signal,
          timeoutMs: VERIFY_TIMEOUT_MS,
        });
        const { ok, rows, head, brokenAt } = parsed<Verdict>(answer);
        if (!output.isHuman) await output.json(answer.text.trim());
        else if (ok)
          await output.text(`The chain holds: ${rows} rows${head ? `, the last hash is ${head}` : ""}.`);
        else
          await output.text(
            `The chain is broken at row ${brokenAt?.sequence ?? "?"}: ${brokenAt?.why ?? "unknown"}`,
          );
        if (!ok) throw new Reported("the chain is broken");
      }),
    );
}
