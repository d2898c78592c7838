// nexusctl writes approve: shows a write in full, asks the person, and approves exactly what was shown.

import type { ShownWrite, WriteView } from "../../contract/api/writes.ts";
import { parseDuration } from "../../core/duration.ts";
import { type CliContext, jsonOf } from "../context.ts";
import { Failed, Reported, WrongUsage } from "../problem.ts";
import { ofState } from "../terminal/colour.ts";
import { ask } from "../terminal/line-editor.ts";
import { checkDigest, previewFor, previewLines, stateOf, summaryLines } from "./preview-view.ts";
import { finish } from "./write.ts";
import { wholeId } from "./write-id.ts";

export interface ApproveOptions {
  note?: string;
  digest?: string;
  yes?: boolean;
  wait?: string | true;
}

/**
 * Asks at a terminal; without one, only with `--yes --digest`.
 * @throws WrongUsage, Failed; Reported if the person declined
 */
export async function approve(context: CliContext, given: string, options: ApproveOptions): Promise<void> {
  const { io, output } = context;
  const tty = output.isHuman ? io.tty : undefined;
  if (options.yes && options.digest === undefined)
    throw new WrongUsage("--yes needs --digest: the digest of what you reviewed.");
  if (!options.yes && !tty)
    throw new WrongUsage(
      "There is no terminal to ask on: give --yes and --digest DIGEST. nexusctl writes show ID shows the digest.",
    );

  let id = given;
  let digest = options.digest ?? "";
  if (!options.yes && tty) {
    const write = await show(context, given);
    if (options.digest !== undefined && options.digest !== write.digest)
      throw new Failed({
        title: "The write is not the one that was shown",
        detail: "The digest of this write is not the one given with --digest. Nothing was approved.",
        code: "digest_mismatch",
      });
    const answer = await ask(tty, "Approve this write? [y/N] ", io.signal);
    if (!/^\s*y(es)?\s*$/i.test(answer ?? "")) {
      output.note(`not approved; ${write.id} is unchanged`);
      throw new Reported("not approved");
    }
    ({ id, digest } = write);
  }

  const write = await approveShown(context, id, digest, options.note);
  const waitMs = typeof options.wait === "string" ? parseDuration(options.wait) : undefined;
  if (options.wait !== undefined) return await finish(context, id, waitMs, "operator");
  if (!output.isHuman) return await output.json(jsonOf(write));
  await output.text([`${write.id}  ${write.operation}  `, ofState(write.state, stateOf(write))]);
}

/** @throws Failed with the daemon's message: another digest, expired, already decided */
export const approveShown = (
  { client, io }: CliContext,
  id: string,
  digest: string,
  note?: string,
): Promise<WriteView> => client.writes.approve(id, { digest, note }, { signal: io.signal });

/**
 * A write as the operators' socket shows it, which the audit log records.
 * @throws Failed `digest_mismatch` if it does not match its digest
 */
export async function fetchShown({ client, io }: CliContext, id: string): Promise<ShownWrite> {
  const write = await client.writes.get(id, { role: "operator", signal: io.signal });
  checkDigest(write);
  return write;
}

async function show(context: CliContext, given: string): Promise<ShownWrite> {
  const write = await fetchShown(context, await wholeId(context, given, "beginning", "operator"));
  if (write.state !== "proposed")
    throw new Failed({
      title: "Nothing to decide",
      detail: `There is nothing to approve: write ${write.id} is ${stateOf(write)}.`,
      code: write.state === "expired" ? "write_expired" : "write_already_decided",
    });
  await showWhole(context, write);
  return write;
}

/** The preview and, if that scrolls away, the summary of the decision once more. */
export async function showWhole({ io, output }: CliContext, write: ShownWrite): Promise<void> {
  const columns = io.tty?.output.columns || 80;
  const lines = previewLines(previewFor(write, columns), columns);
  for (const line of lines) await output.line(line);
  await output.line("");
  if (lines.length > (io.tty?.output.rows || 24) - 3) {
    for (const line of summaryLines(write, columns)) await output.line(line);
    await output.text(`The full preview is above, in ${lines.length} lines. Scroll up to read it.`);
    await output.line("");
  }
}
