// nexusctl writes: the proposed writes and their outcomes, and the operator's decisions.

import { type Command, Option } from "commander";
import type { WriteView } from "../../contract/api/writes.ts";
import { parseDuration } from "../../core/duration.ts";
import { count, duration, writeStates } from "../arguments.ts";
import { type Act, type CliContext, jsonOf } from "../context.ts";
import { WrongUsage } from "../problem.ts";
import { ofState } from "../terminal/colour.ts";
import { shownToken, TOKEN_OPTION } from "../token.ts";
import { type ApproveOptions, approve } from "./approve.ts";
import { historyLines, previewFor, previewLines, stateOf } from "./preview-view.ts";
import { type RejectOptions, rejectAll } from "./reject-all.ts";
import { addSigning } from "./signing.ts";
import { watch } from "./watch.ts";
import { finish } from "./write.ts";
import { wholeId } from "./write-id.ts";
import { listWrites } from "./writes-list.ts";

export function addWrites(program: Command, act: Act): void {
  const writes = program.command("writes").description("list the writes; approve or reject them (operator)");

  writes
    .command("list", { isDefault: true })
    .description("list the writes, newest first")
    .option("--state <state>", "only those in this state; may be repeated", writeStates)
    .option("--limit <count>", "how many at most", count, 50)
    .option("--all", "list all of them")
    .option("--after <id>", "only writes older than this one; the end of a list names it")
    .action(act(listWrites));

  writes
    .command("show")
    .description("show a write in full, with its history")
    .argument("<id>", "its id, or the start or end of it")
    .action(
      act(async (context, given: string) => {
        const { client, output, io } = context;
        const id = await wholeId(context, given, "either end", "agent");
        const write = await client.writes.get(id, { signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(write));
        const columns = io.terminal?.columns ?? 80;
        for (const line of previewLines(`${previewFor(write, columns)}\n`, columns)) await output.line(line);
        for (const line of historyLines(write, columns)) await output.line(line);
      }),
    );

  writes
    .command("wait")
    .description("wait until a write is decided and executed; exit 0 only if it succeeded")
    .argument("<id>", "its id, or the start or end of it")
    .option("--timeout <duration>", "at most this long; default: no limit", duration)
    .action(
      act(async (context, given: string, { timeout }: { timeout?: string }) => {
        const { client, io } = context;
        const id = await wholeId(context, given, "either end", "agent");
        // A daemon that goes away later is waited for, but not one that was never there.
        await client.writes.get(id, { signal: io.signal });
        await finish(context, id, timeout === undefined ? undefined : parseDuration(timeout), "agent");
      }),
    );

  writes
    .command("approve")
    .description("review a write and approve it (operator)")
    .argument("<id>", "its id, or the start of it")
    .option("--note <text>", "a note for the audit log")
    .option("--digest <digest>", "the digest of what you reviewed")
    .option("--yes", "show nothing and do not ask, for scripts; needs --digest")
    .option("--wait [duration]", "wait until it is executed; exit 0 only if it succeeded", duration)
    .action(act((context, given: string, options: ApproveOptions) => approve(context, given, options)));

  writes
    .command("reject")
    .description("reject a write, or many at once with --all (operator)")
    .argument("[id]")
    .requiredOption("--reason <text>", "the reason; the agent can read it")
    .option("--all", "every proposal that matches --agent and --operation; shows them and asks first")
    .option("--agent <name>", "with --all: only from this agent, by the name it gives itself")
    .option("--operation <pattern>", 'with --all: a name, "nexus.*", or "*"')
    .option("--yes", "with --all: do not ask")
    .action(
      act(async (context, id: string | undefined, options: RejectOptions) => {
        const { reason, all, agent, operation } = options;
        if (all && id === undefined) return await rejectAll(context, options);
        if (all || id === undefined || agent !== undefined || operation !== undefined)
          throw new WrongUsage("Name one write by its id, or many by --all with --agent or --operation.");
        await show(context, await context.client.writes.reject(id, reason, { signal: context.io.signal }));
      }),
    );

  addSigning(writes, act);

  writes
    .command("cancel")
    .description("cancel a write that is not decided yet; an operator can also cancel an approved one")
    .argument("<id>")
    .option(...TOKEN_OPTION)
    .action(
      act(async (context, id: string, { token }: { token?: string }) => {
        const { client, io } = context;
        const shown = await shownToken(context, token);
        const { state, isBound } = await client.writes.get(id, { signal: io.signal });
        // Only an operator can stop an approved write, and an operator needs no token.
        const isOperators = state === "approved" || (isBound && shown === undefined);
        const role = isOperators ? "operator" : "agent";
        await show(context, await client.writes.cancel(id, { role, token: shown, signal: io.signal }));
      }),
    );

  writes
    .command("resolve")
    .description("record the outcome of a write that ended as unknown (operator)")
    .argument("<id>")
    .addOption(
      new Option("--outcome <outcome>", "what happened")
        .choices(["succeeded", "failed"])
        .makeOptionMandatory(),
    )
    .requiredOption("--note <text>", "how you know")
    .action(
      act(async (context, id: string, found: { outcome: "succeeded" | "failed"; note: string }) =>
        show(context, await context.client.writes.resolve(id, found, { signal: context.io.signal })),
      ),
    );

  writes
    .command("watch")
    .description("show proposals as they arrive, and approve or reject them (operator)")
    .option("--no-bell", "do not ring the terminal's bell when a proposal arrives")
    .action(act((context, options: { bell: boolean }) => watch(context, options)));
}

async function show({ output }: CliContext, write: WriteView): Promise<void> {
  if (!output.isHuman) return await output.json(jsonOf(write));
  await output.text([`${write.id}  ${write.operation}  `, ofState(write.state, stateOf(write))]);
}
