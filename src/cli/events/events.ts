// nexusctl events: prints a page of the log, or follows it.

import type { Command } from "commander";
import type { Client } from "../../client/client.ts";
import { systemClock } from "../../core/clock.ts";
import { count, eventTypes, lastOption, wholeNumber } from "../arguments.ts";
import { type Act, type CliContext, jsonOf } from "../context.ts";
import { oneLine, rawElements } from "../operations/raw-json.ts";
import type { Output } from "../terminal/output.ts";
import { eventLine, eventLines } from "./event-line.ts";
import { follow } from "./follow.ts";
import { lastOf } from "./last.ts";

interface EventsOptions {
  after?: number;
  limit?: number;
  last?: number;
  type?: string[];
  follow?: boolean;
}

const DEFAULT_LIMIT = 100;
// The daemon returns at most 1000 at once.
const PAGE = 500;

export function addEvents(program: Command, act: Act): void {
  program
    .command("events")
    .description("print events from the log, oldest first")
    .option(
      "--after <sequence>",
      "only events after this one; default: 0, with --follow the end of the log",
      wholeNumber,
    )
    .option("--limit <count>", `how many at most; default: ${DEFAULT_LIMIT}, with --follow no limit`, count)
    .addOption(lastOption())
    .option(
      "--type <type>",
      'only this type, or a pattern such as "messaging.*"; may be repeated',
      eventTypes,
    )
    .option("-f, --follow", "keep printing new events until interrupted, across restarts of the daemon")
    .action(
      act(async (context, options: EventsOptions) => {
        if (options.last === undefined) return await (options.follow ? tail : list)(context, options);
        const { latest, epoch } = await printLast(context, options.last, options);
        if (options.follow) await tail(context, { ...options, after: latest }, epoch);
      }),
    );
}

/** @returns where the log ended, and which log it was */
async function printLast(
  { client, output, io }: CliContext,
  count: number,
  { type }: EventsOptions,
): Promise<{ latest: number; epoch: string }> {
  const { latest, epoch } = await endOf(client, io.signal);
  const events = await lastOf(count, latest, async (after) => {
    const page = await readPage(client, { after, limit: PAGE, epoch, type, signal: io.signal });
    // Events that arrived since are not among the last ones at that time.
    return { found: rawElements(jsonOf(page), "events"), next: page.next };
  });
  await print(output, events);
  return { latest: Math.max(latest, sequenceOf(events.at(-1))), epoch };
}

const sequenceOf = (event: string | undefined): number =>
  event === undefined ? 0 : Number((JSON.parse(event) as { sequence: string }).sequence); // the contract of the log

const endOf = (client: Client, signal: AbortSignal) => client.readEvents({ limit: 1, signal });

async function list({ client, output, io }: CliContext, options: EventsOptions): Promise<void> {
  let left = options.limit ?? DEFAULT_LIMIT;
  let after = options.after ?? 0;
  let epoch: string | undefined;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const page = await readPage(client, { after, limit, epoch, type: options.type, signal: io.signal });
    if (page.gap)
      output.note(`events ${page.gap.from} to ${page.gap.to} are missing: retention removed them`);
    left -= await printEvents(output, page);
    epoch = page.epoch;
    const isAtEnd = page.next >= page.latest || page.next <= after;
    after = page.next;
    if (isAtEnd) return;
  }
  output.note(`there are more: continue with --after ${after}, or use --follow`);
}

interface Wanted {
  after: number;
  limit: number;
  type: string[] | undefined;
  // Sent with each page, so that a log that is replaced in between is an error, and not two logs printed as one.
  epoch: string | undefined;
  signal: AbortSignal;
}

const readPage = (client: Client, { type, epoch, ...wanted }: Wanted) =>
  client.readEvents({ ...wanted, ...(type && { types: type }), ...(epoch !== undefined && { epoch }) });

async function tail(
  { client, transport, output, io }: CliContext,
  options: EventsOptions,
  known?: string,
): Promise<void> {
  let { after } = options;
  let epoch = known;
  if (after === undefined) ({ latest: after, epoch } = await endOf(client, io.signal));
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  await follow({
    transport,
    after,
    epoch,
    clock: systemClock,
    random: Math.random,
    signal: io.signal,
    onNote: output.note,
    types: options.type,
    onEvent: async (json) => {
      await (output.isHuman ? output.line(eventLine(json)) : output.json(oneLine(json)));
      return --left > 0;
    },
  });
}

/** Prints the events of a page. @returns how many there were */
export async function printEvents(output: Output, page: object): Promise<number> {
  const events = rawElements(jsonOf(page), "events");
  await print(output, events);
  return events.length;
}

async function print(output: Output, events: string[]): Promise<void> {
  if (output.isHuman) for (const line of eventLines(events)) await output.line(line);
  else for (const event of events) await output.json(oneLine(event));
}
