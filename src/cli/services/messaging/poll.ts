// nexusctl messaging poll: the messages of others in a session, from nexusd's own log.

import type { Command } from "commander";
import { systemClock } from "../../../core/clock.ts";
import { parseJson, stringifyJson } from "../../../core/exact-json.ts";
import { visible } from "../../../core/text/visible.ts";
import { count, lastOption, wholeNumber } from "../../arguments.ts";
import { type Act, type CliContext, jsonOf } from "../../context.ts";
import { follow } from "../../events/follow.ts";
import { lastOf } from "../../events/last.ts";
import { oneLine, rawElements } from "../../operations/raw-json.ts";
import { wrapped } from "../../writes/preview-view.ts";
import { text } from "./call.ts";

interface PollOptions {
  after?: number;
  limit?: number;
  last?: number;
  follow?: true;
}

/** A message as returned by the log or a server. */
interface Message {
  sequence?: number;
  time?: string;
  cursor?: unknown;
  agentId?: unknown;
  text?: unknown;
  json?: unknown;
}

const DEFAULT_LIMIT = 100;
/** The daemon returns at most 1000 at once. */
const PAGE = 500;
const RECEIVED = "messaging.message.received";

export function addPoll(messaging: Command, act: Act): void {
  messaging
    .command("poll")
    .description("print what others wrote in a session, from nexusd's log, oldest first; costs no request")
    .argument("<session>")
    .option(
      "--after <sequence>",
      "only after this sequence; default: 0, with --follow the end of the log",
      wholeNumber,
    )
    .option("--limit <count>", `how many at most; default: ${DEFAULT_LIMIT}, with --follow no limit`, count)
    .addOption(lastOption())
    .option("-f, --follow", "keep printing new messages until interrupted, across restarts of the daemon")
    .action(
      act(async (context, session: string, options: PollOptions) => {
        if (options.last === undefined)
          return await (options.follow ? tail : list)(context, session, options);
        const after = await printLast(context, session, options.last);
        if (options.follow) await tail(context, session, { after });
      }),
    );
}

/** @returns the position in the log up to which it searched */
async function printLast(context: CliContext, session: string, count: number): Promise<number> {
  const { client, io } = context;
  const { latest } = await client.readEvents({ limit: 1, signal: io.signal });
  let end = latest;
  const messages = await lastOf(count, latest, async (after) => {
    const page = await client.messages(session, { after, limit: PAGE, signal: io.signal });
    const found = rawElements(jsonOf(page), "messages");
    const { next } = page;
    end = Math.max(end, next);
    return { found, next: found.length === 0 ? latest : next };
  });
  for (const message of messages) await printRaw(context, message);
  return end;
}

async function printRaw(context: CliContext, message: string): Promise<void> {
  if (context.output.isHuman) await printMessage(context, parseJson(message) as Message);
  else await context.output.json(oneLine(message));
}

async function list(context: CliContext, session: string, options: PollOptions): Promise<void> {
  const { client, io, output } = context;
  let left = options.limit ?? DEFAULT_LIMIT;
  let after = options.after ?? 0;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const page = await client.messages(session, { after, limit, signal: io.signal });
    const messages = rawElements(jsonOf(page), "messages");
    for (const message of messages) await printRaw(context, message);
    left -= messages.length;
    if (page.gap && options.after !== undefined)
      output.note(`events ${page.gap.from} to ${page.gap.to} are missing: retention removed them`);
    after = page.next;
    // A page of long messages ends before the limit.
    if (messages.length === 0) return;
  }
  output.note(`there may be more: continue with --after ${after}, or use --follow`);
}

async function tail(context: CliContext, session: string, options: PollOptions): Promise<void> {
  const { client, transport, io, output } = context;
  // The position first: events between the two answers come after it.
  const end = await client.readEvents({ limit: 1, signal: io.signal });
  const { sessionId } = await client.messages(session, { limit: 1, signal: io.signal });
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  await follow({
    transport,
    after: options.after ?? end.latest,
    epoch: end.epoch,
    clock: systemClock,
    random: Math.random,
    signal: io.signal,
    onNote: output.note,
    types: [RECEIVED],
    onEvent: async (event) => {
      const message = messageOf(event, sessionId);
      if (!message) return true;
      if (output.isHuman) await printMessage(context, message);
      else await output.json(stringifyJson(message));
      return --left > 0;
    },
  });
}

/** Converts an event of the log to a message; undefined if it belongs to another session. */
function messageOf(json: string, sessionId: string): Message | undefined {
  // The contract of the log.
  const { sequence, time, data } = parseJson(json) as {
    sequence: string;
    time: string;
    data: Message & { sessionId: string };
  };
  return data.sessionId === sessionId ? { sequence: Number(sequence), time, ...data } : undefined;
}

/** Its position, time and author, then all of its text, marked so that no line of it can pass for another message. */
export async function printMessage({ output, io }: CliContext, message: Message): Promise<void> {
  const { sequence, time, cursor, agentId } = message;
  const at = time === undefined ? [] : [new Date(time).toLocaleTimeString("sv-SE")];
  const place = sequence === undefined ? `cursor ${text(cursor)}` : String(sequence);
  await output.line([place, ...at, visible(text(agentId ?? "-"))].join("  "));
  const parts = [message.text, message.json].filter((part) => part !== undefined && part !== null);
  for (const part of parts)
    for (const line of wrapped(text(part), Math.max(20, (io.terminal?.columns ?? 80) - INDENT.length)))
      await output.line(INDENT + line);
}

const INDENT = "    ";
