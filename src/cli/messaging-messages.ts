// nexusctl messaging send, poll, history: what is said in a session.

import type { Command } from "commander";
import { parseJson, stringifyJson } from "../http/json.ts";
import { systemClock } from "../scheduler/clock.ts";
import { visible } from "../text/visible.ts";
import { count, wholeNumber } from "./arguments.ts";
import { type Answer, parsed } from "./client.ts";
import type { Act, CliContext } from "./context.ts";
import { follow } from "./follow.ts";
import { addWriteOptions, ask, carryOut, given, print, text, type WriteOptions } from "./messaging-call.ts";
import { textOf } from "./operation-call.ts";
import { wrapped } from "./preview-view.ts";
import { WrongUsage } from "./problem.ts";
import { oneLine, rawElements } from "./raw-json.ts";
import { json } from "./typed-value.ts";

interface SendOptions extends WriteOptions {
  data?: string;
  strict?: true;
}

interface PollOptions {
  after?: number;
  limit?: number;
  follow?: true;
}

/** A message as the log or a server gives it. */
interface Message {
  sequence?: number;
  time?: string;
  cursor?: unknown;
  agentId?: unknown;
  text?: unknown;
  json?: unknown;
}

const DEFAULT_LIMIT = 100;
/** The daemon gives at most 1000 at once. */
const PAGE = 500;
const RECEIVED = "messaging.message.received";

export function addMessages(messaging: Command, act: Act): void {
  const send = messaging
    .command("send")
    .description("write a message to a session")
    .argument("<session>")
    .argument("[text]", "the message; - reads it from stdin")
    .option("--data <json>", "a JSON value for programs, beside the text or instead; @FILE for a file")
    .option("--strict", "refuse JSON that the server cannot carry as JSON, instead of sending it as text")
    .addHelpText(
      "after",
      `
A text that holds a secret is refused: whoever is in the session could read it.

Examples:
  nexusctl messaging send ops "hello"
  git log -1 | nexusctl messaging send ops -
  nexusctl messaging send ops --data '{"build":"green"}' --strict`,
    );
  addWriteOptions(send).action(
    act(async (context, session: string, words: string | undefined, options: SendOptions) => {
      const { data, strict, ...write } = options;
      if (words === undefined && data === undefined)
        throw new WrongUsage(
          'What is the message? Give its text, "-" to read it from stdin, or --data JSON.',
        );
      if (words === "-" && data === "-") throw new WrongUsage("Only one of text and --data can be stdin.");
      const input = given({
        session,
        text: words === "-" ? withoutLastBreak(await textOf(context, "-", "text")) : words,
        json: data === undefined ? undefined : json(await textOf(context, data, "--data"), "--data"),
        strict,
      });
      const result = await carryOut(context, "messaging.messages.send", input, write);
      if (!result) return;
      if (!context.output.isHuman) return await print(context, result, []);
      const cursor = result.cursor === undefined ? "" : `, cursor ${text(result.cursor)}`;
      context.output.note(`sent to ${session}${cursor}`);
      for (const warning of [result.warning ?? []].flat()) context.output.note(text(warning));
    }),
  );

  messaging
    .command("poll")
    .description(
      "what the others wrote in a session, from nexusd's log: the oldest first, no request is spent",
    )
    .argument("<session>")
    .option(
      "--after <sequence>",
      "only after this place in the log; default: 0, with --follow its end",
      wholeNumber,
    )
    .option("--limit <count>", `how many at most; default: ${DEFAULT_LIMIT}, with --follow no limit`, count)
    .option("-f, --follow", "go on with new messages until interrupted, across restarts of the daemon")
    .action(
      act(async (context, session: string, options: PollOptions) =>
        (options.follow ? tail : list)(context, session, options),
      ),
    );

  messaging
    .command("history")
    .description("the messages that the server of a session still has, the own ones too; costs one request")
    .argument("<session>")
    .option("--after <cursor>", "only those after this cursor; default: all, with the greeting")
    .option("--members", "the agents of the session as well")
    .action(
      act(async (context, session: string, { after, members }: { after?: string; members?: true }) => {
        const result = await ask(context, "messaging.messages.list", given({ session, after, members }));
        if (!context.output.isHuman) return await print(context, result, []);
        const messages = Array.isArray(result.messages) ? result.messages : [];
        for (const message of messages) await printMessage(context, message);
        const { printMembers } = await import("./messaging-views.ts");
        if (members) await printMembers(context, result);
      }),
    );
}

/** A shell's pipe ends with a line break that nobody means to send. */
const withoutLastBreak = (text: string) => text.replace(/\r?\n$/, "");

const path = (session: string, query: URLSearchParams) =>
  `/v1/messaging/sessions/${encodeURIComponent(session)}/messages?${query}`;

async function list(context: CliContext, session: string, options: PollOptions): Promise<void> {
  const { client, io, output } = context;
  let left = options.limit ?? DEFAULT_LIMIT;
  let after = options.after ?? 0;
  while (left > 0) {
    const limit = Math.min(PAGE, left);
    const query = new URLSearchParams({ after: String(after), limit: String(limit) });
    const answer = await client.call("GET", path(session, query), { signal: io.signal });
    const messages = rawElements(answer.text, "messages");
    for (const message of messages) {
      if (output.isHuman) await printMessage(context, parseJson(message) as Message);
      else await output.json(oneLine(message));
    }
    left -= messages.length;
    after = parsed<{ next: number }>(answer).next;
    if (messages.length < limit) return;
  }
  output.note(`there may be more: go on with --after ${after}, or use --follow`);
}

async function tail(context: CliContext, session: string, options: PollOptions): Promise<void> {
  const { client, io, output } = context;
  // The position first: what comes between the two answers is after it.
  const end = parsed<{ latest: number; epoch: string }>(
    await client.call("GET", "/v1/events?limit=1", { signal: io.signal }),
  );
  const named: Answer = await client.call("GET", path(session, new URLSearchParams({ limit: "1" })), {
    signal: io.signal,
  });
  const { sessionId } = parsed<{ sessionId: string }>(named);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  await follow({
    client,
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

/** An event of the log as the view of messages has it; undefined where it is of another session. */
function messageOf(json: string, sessionId: string): Message | undefined {
  // The contract of the log.
  const { sequence, time, data } = parseJson(json) as {
    sequence: string;
    time: string;
    data: Message & { sessionId: string };
  };
  return data.sessionId === sessionId ? { sequence: Number(sequence), time, ...data } : undefined;
}

/** Its place, time and author, and behind them all of its text: no line of it can pass for another message. */
async function printMessage({ output, io }: CliContext, message: Message): Promise<void> {
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
