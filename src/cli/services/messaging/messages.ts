// nexusctl messaging send and history: the messages of a session, from its server.

import type { Command } from "commander";
import type { Act } from "../../context.ts";
import { textOf } from "../../operations/operation-call.ts";
import { json } from "../../operations/typed-value.ts";
import { WrongUsage } from "../../problem.ts";
import { addWriteOptions, ask, carryOut, given, print, text, type WriteOptions } from "./call.ts";
import { printMessage } from "./poll.ts";

interface SendOptions extends WriteOptions {
  data?: string;
  strict?: true;
}

export function addMessages(messaging: Command, act: Act): void {
  const send = messaging
    .command("send")
    .description("send a message to a session")
    .argument("<session>")
    .argument("[text]", "the message; - reads stdin")
    .option("--data <json>", "a JSON value for programs, with the text or instead of it; @FILE reads a file")
    .option("--strict", "fail if the server cannot carry JSON, instead of sending it as text")
    .addHelpText(
      "after",
      `
A text that contains a secret is refused: everyone in the session could read it.

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
    .command("history")
    .description("print the messages that the server still has, your own included; costs one request")
    .argument("<session>")
    .option("--after <cursor>", "only those after this cursor; default: all, with the greeting")
    .option("--members", "also list the agents of the session")
    .action(
      act(async (context, session: string, { after, members }: { after?: string; members?: true }) => {
        const result = await ask(context, "messaging.messages.list", given({ session, after, members }));
        if (!context.output.isHuman) return await print(context, result, []);
        const messages = Array.isArray(result.messages) ? result.messages : [];
        for (const message of messages) await printMessage(context, message);
        const { printMembers } = await import("./views.ts");
        if (members) await printMembers(context, result);
      }),
    );
}

/** A shell's pipe ends with a line break that is not part of the message. */
const withoutLastBreak = (text: string) => text.replace(/\r?\n$/, "");
