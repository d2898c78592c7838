// nexusctl write: proposes a write, and with --wait follows it to its end.

import type { Command } from "commander";
import type { ShownWrite } from "../../contract/api/writes.ts";
import { workOf } from "../../contract/work.ts";
import type { Write } from "../../contract/writes.ts";
import { isDone, isFinal } from "../../contract/writes.ts";
import { systemClock } from "../../core/clock.ts";
import { parseDuration } from "../../core/duration.ts";
import { duration } from "../arguments.ts";
import { type Act, type CliContext, jsonOf } from "../context.ts";
import { followWork } from "../events/work.ts";
import { addCall, type CallOptions, inputOf, printHelp } from "../operations/operation-call.ts";
import { noteAway, Reported, WrongUsage } from "../problem.ts";
import type { Role } from "../sockets.ts";
import { ofState } from "../terminal/colour.ts";
import { tellToken } from "../token.ts";
import { historyLines, stateOf } from "./preview-view.ts";

interface WriteOptions extends CallOptions {
  reason?: string;
  agent?: string;
  idempotencyKey?: string;
  ttl?: string;
  bind?: true;
  wait?: string | true;
}

export function addWrite(program: Command, act: Act): void {
  const command = program.command("write").description("propose a write; it is executed once it is approved");
  addCall(command)
    .option("--reason <text>", "the reason, shown to whoever decides")
    .option("--agent <name>", "a name that you give yourself; it is not verified")
    .option("--idempotency-key <key>", "a proposal with the same key and input returns the same write")
    .option("--ttl <duration>", "how long the proposal stays open; default: [approvals] ttl", duration)
    .option("--bind", "require a token to cancel it; the token is printed once")
    .option("--wait [duration]", "wait until it is decided and executed; exit 0 only if it succeeded")
    .action(
      act(async (context, first: string | undefined, rest: string[], options: WriteOptions) => {
        const { name, args, waitMs } = sortedOut(first, rest, options.wait);
        if (options.help || name === undefined) return await printHelp(context, command, name, options);
        const input = await inputOf(context, name, args, options.input);
        const { client, io } = context;
        const { reason, agent, idempotencyKey, ttl, bind } = options;
        const write = await client.propose(
          { operation: name, input, reason, agent, idempotencyKey, ttl, bind },
          { patienceMs: 0, signal: io.signal },
        );
        // The final state of the write does not include it.
        if (context.output.isHuman || options.wait !== undefined) tellToken(context, write);
        if (options.wait === undefined) return await printProposal(context, write, jsonOf(write));
        await finish(context, write.id, waitMs, "agent");
      }),
    );
}

/**
 * `--wait` takes the next word even if that is not a duration but the operation or an argument.
 * @throws WrongUsage
 */
function sortedOut(
  first: string | undefined,
  rest: string[],
  wait: string | true | undefined,
): { name: string | undefined; args: string[]; waitMs: number | undefined } {
  const waitMs = typeof wait === "string" ? parseDuration(wait) : undefined;
  const taken = typeof wait === "string" && waitMs === undefined ? wait : undefined;
  const words = [first, ...rest].filter((word) => word !== undefined);
  const isArgument = taken?.includes("=") ?? false;
  const [name, ...args] = taken === undefined || isArgument ? words : [taken, ...words];
  if (taken !== undefined && !isArgument && !taken.includes("."))
    throw new WrongUsage(`--wait takes a duration such as "30s", not "${taken}".`);
  return { name, args: isArgument && taken !== undefined ? [...args, taken] : args, waitMs };
}

async function printProposal({ output }: CliContext, write: Write, json: string): Promise<void> {
  if (!output.isHuman) return await output.json(json);
  await output.text([`${write.id}  ${write.operation}  `, ofState(write.state, stateOf(write))]);
  if (write.state === "proposed") output.note(whoDecides(write));
}

/** Who decides, and how. */
const whoDecides = ({ id, approval }: Pick<Write, "id" | "approval">): string =>
  approval === "signed"
    ? `people sign its approval: nexusctl writes sign ${id} --key FILE`
    : `an operator decides: nexusctl writes approve ${id}`;

/**
 * Follows a write to its end and prints it, with progress for a person.
 * @throws Reported if it did not succeed, or not yet
 */
export async function finish(
  context: CliContext,
  id: string,
  waitMs: number | undefined,
  role: Role,
): Promise<void> {
  const { client, io, output } = context;
  const isWatched = output.isHuman || ("isTTY" in io.stderr && io.stderr.isTTY === true);
  const startedAt = systemClock.monotonic();
  let write: ShownWrite;
  let state = "proposed";
  try {
    write = await client.waitUntilFinal(id, {
      ...{ role, waitMs, signal: io.signal, onAway: noteAway(output) },
      onProgress: (write) => {
        state = write.state;
        if (!isWatched || isFinal(write)) return;
        const next = state === "proposed" ? `; ${whoDecides(write)}` : "";
        output.note(`${id} ${stateOf(write)}${next}`);
      },
    });
  } catch (error) {
    if (io.signal.aborted) output.note(`interrupted; ${id} was ${state} and continues without this command`);
    throw error;
  }
  if (!output.isHuman) await output.json(jsonOf(write));
  else for (const line of historyLines(write, io.terminal?.columns ?? 80)) await output.line(line);
  if (!isDone(write)) throw new Reported(`the write is ${write.state}`);
  const family = workOf(write.operation);
  if (write.state !== "succeeded" || family === undefined) return;
  const left = waitMs === undefined ? undefined : waitMs - (systemClock.monotonic() - startedAt);
  await followWork(context, write, family, { role, waitMs: left, isWatched });
}
