// nexusctl wait: waits until a consumer has pending events, for hooks of runtimes that can run a command.

import { type Command, InvalidArgumentError } from "commander";
import type { ConsumerDetailView } from "../contract/api/consumers.ts";
import { noticeOf, noticeText } from "../contract/notice.ts";
import { systemClock } from "../core/clock.ts";
import { parseDuration } from "../core/duration.ts";
import { duration, wholeNumber } from "./arguments.ts";
import { missingConsumer } from "./consumers.ts";
import type { Act, CliContext } from "./context.ts";
import { Ended, noteAway } from "./problem.ts";

/** The same as timeout(1). */
const TIMED_OUT = 124;

const NOTES = `
Prints the notice and exits: JSON on stdout and a line on stderr; at a terminal the line alone. It names how many events
are pending, their sequences and types, and nothing of what is in them: read them with "consumers events" or over MCP.
What is pending already when it starts is told at once. Acknowledges nothing.

Exit codes: 0, or that of --exit-code: something is pending; ${TIMED_OUT}: nothing was within --timeout; 1: refused, such as for
a consumer that does not exist; 69: no daemon answered for 10 s. One that goes away later is waited for.`;

interface WaitOptions {
  timeout?: string;
  exitCode: number;
  backoff?: string;
}

export function addWait(program: Command, act: Act): void {
  program
    .command("wait")
    .description("wait until a consumer has something to read, print a notice and exit")
    .argument("<consumer>")
    .option("--timeout <duration>", "at most this long; default: no limit", duration)
    .option("--exit-code <code>", "exit with this code when something is pending", exitCode, 0)
    .option(
      "--backoff <duration>",
      "report what has already been pending for a while only after it has been pending as long again, at most this long: for hooks that run after every turn of an agent",
      duration,
    )
    .addHelpText("after", NOTES)
    .action(act(wait));
}

async function wait(context: CliContext, name: string, options: WaitOptions): Promise<void> {
  const { client, output, io } = context;
  const { timeout, exitCode, backoff } = options;
  const deadline = systemClock.monotonic() + ms(timeout, Number.POSITIVE_INFINITY);
  const left = () => Math.max(0, deadline - systemClock.monotonic());
  const find = async (): Promise<ConsumerDetailView> => {
    const waitMs = left();
    const found = await client.consumers.waitUntilPending(name, {
      ...(Number.isFinite(waitMs) && { waitMs }),
      ...{ signal: io.signal, onAway: noteAway(output) },
    });
    if (found === undefined) throw missingConsumer(name);
    return found;
  };

  let found = await find();
  const delayMs = Math.min(ageOf(found), ms(backoff, 0));
  if (found.pending.count > 0 && delayMs > 0) {
    await systemClock.sleep(Math.min(delayMs, left()), io.signal);
    found = await find();
  }
  if (found.pending.count === 0) {
    output.note(`nothing is pending for "${name}" after ${timeout}`);
    throw new Ended(TIMED_OUT);
  }
  const notice = noticeOf(name, found.pending);
  const text = noticeText(notice);
  if (output.isHuman) await output.text(text);
  else {
    await output.json(JSON.stringify(notice));
    io.stderr.write(`${text}\n`);
  }
  if (exitCode !== 0) throw new Ended(exitCode);
}

const ms = (duration: string | undefined, otherwise: number): number =>
  duration === undefined ? otherwise : (parseDuration(duration) ?? otherwise);

/** How long its oldest event has been pending, in ms. */
function ageOf({ pending: { oldestAt } }: ConsumerDetailView): number {
  return oldestAt === null ? 0 : Math.max(0, systemClock.now() - Date.parse(oldestAt));
}

function exitCode(text: string): number {
  const code = wholeNumber(text);
  if (code > 255 || code === TIMED_OUT)
    throw new InvalidArgumentError(
      `It must be 0 to 255, and not ${TIMED_OUT}, which stands for the time-out.`,
    );
  return code;
}
