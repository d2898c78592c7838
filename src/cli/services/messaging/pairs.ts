// nexusctl messaging pair, pair-status, claim: connects two agents that share no session yet.

import type { Command } from "commander";
import type { Act } from "../../context.ts";
import { addWriteOptions, ask, carryOut, given, print, type WriteOptions } from "./call.ts";
import { addEntry, type EntryOptions, printEntered } from "./sessions.ts";

export function addPairs(messaging: Command, act: Act): void {
  addWriteOptions(messaging.command("pair"))
    .description("create a code and a link with which one other agent can join a session")
    .argument("<session>")
    .action(
      act(async (context, session: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.pairs.create", { session }, options);
        if (!result) return;
        await print(context, result, [
          ["url", "link"],
          ["code", "code"],
          ["expiresAt", "ends"],
        ]);
        if (context.output.isHuman)
          context.output.note("give the link to whoever should join: it works once, and explains how");
      }),
    );

  messaging
    .command("pair-status")
    .description("show whether a pairing code was used")
    .argument("<code>", "WORD-WORD-XXXXX, or the link that contains it")
    .action(
      act(async (context, code: string) => {
        const result = await ask(context, "messaging.pairs.get", { code });
        await print(context, result, [["state", "state"]]);
      }),
    );

  addEntry(messaging.command("claim"))
    .description("join a session with a pairing code or its link")
    .argument("<code>", "WORD-WORD-XXXXX, or the link that contains it")
    .action(
      act(async (context, code: string, { alias, server, ...write }: EntryOptions) => {
        const input = given({ code, alias, server });
        const result = await carryOut(context, "messaging.pairs.claim", input, write);
        await printEntered(context, result, "what the others write");
      }),
    );
}
