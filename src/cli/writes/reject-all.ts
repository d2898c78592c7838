// nexusctl writes reject --all: shows what it would reject, asks, and rejects no more than that.

import { type CliContext, jsonOf } from "../context.ts";
import { Reported, WrongUsage } from "../problem.ts";
import { ask } from "../terminal/line-editor.ts";
import { age } from "../terminal/output.ts";

export interface RejectOptions {
  reason: string;
  all?: boolean;
  agent?: string;
  operation?: string;
  yes?: boolean;
}

/** Without a terminal only with `--yes`. */
export async function rejectAll(context: CliContext, options: RejectOptions): Promise<void> {
  const { client, io, output } = context;
  const { reason, agent, operation } = options;
  if (agent === undefined && operation === undefined)
    throw new WrongUsage('--all needs --agent or --operation ("*" for every operation).');
  const tty = output.isHuman ? io.tty : undefined;
  if (!options.yes && !tty) throw new WrongUsage("There is no terminal to ask on: give --yes.");
  const filter = {
    reason,
    ...(agent !== undefined && { agent }),
    ...(operation !== undefined && { operation }),
  };
  const send = (more: { dryRun?: boolean; upTo?: string }) =>
    client.writes.rejectMany({ ...filter, ...more }, { signal: io.signal });

  const { count, writes } = await send({ dryRun: true });
  const [newest] = writes;
  if (!newest) {
    if (output.isHuman) return await output.text("No proposal matches.");
    return await output.json(JSON.stringify({ count: 0, writes: [] }));
  }
  if (!options.yes && tty) {
    await output.table(
      ["ID", "OPERATION", "PROPOSED", "AGENT, AS IT SAYS", "REASON"],
      writes.map((write) => [write.id, write.operation, age(write.proposedAt), write.agent, write.reason]),
    );
    if (count > writes.length) output.note(`and ${count - writes.length} more`);
    const question = `Reject ${count === 1 ? "this write" : `these ${count} writes`}? [y/N] `;
    if (!/^\s*y(es)?\s*$/i.test((await ask(tty, question, io.signal)) ?? "")) {
      output.note("nothing was rejected");
      throw new Reported("nothing was rejected");
    }
  }
  // Proposals that arrived after this list were not seen, and stay.
  const rejected = await send({ upTo: newest.id });
  if (!output.isHuman) return await output.json(jsonOf(rejected));
  await output.text(`Rejected: ${rejected.count} of ${count}.`);
}
