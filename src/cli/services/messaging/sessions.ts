// nexusctl messaging create, join, leave, forget, renew, alias, unalias: being in a session, and what it is called.

import type { Command } from "commander";
import { count } from "../../arguments.ts";
import type { Act, CliContext } from "../../context.ts";
import {
  addWriteOptions,
  carryOut,
  given,
  nameOf,
  print,
  type Result,
  seconds,
  type WriteOptions,
} from "./call.ts";

/** What the commands that bring nexusd into a session say of it. */
const ENTERED = [
  ["sessionId", "session"],
  ["alias", "alias"],
  ["agentId", "agent"],
  ["status", "status"],
  ["state", "state"],
  ["agentsOnline", "agents online"],
  ["maxAgents", "agents at most"],
  ["ttl", "ends after (s)"],
  ["expiresAt", "ends"],
] as const;

interface CreateOptions extends EntryOptions {
  ttl?: number;
  maxAgents?: number;
  greeting?: string;
  asMember?: true;
}

export interface EntryOptions extends WriteOptions {
  alias?: string;
  server?: string;
}

/** How a session gets a name and a server, wherever nexusd enters one. */
export const addEntry = (command: Command): Command =>
  addWriteOptions(
    command
      .option("--alias <name>", "what to call the session from now on")
      .option(
        "--server <url>",
        "its server, one that nexusd knows; default: messaging.base_url of the configuration",
      ),
  );

/** Prints how nexusd entered a session, and what is next. */
export async function printEntered(context: CliContext, result: Result | undefined, next: string) {
  if (!result) return;
  await print(context, result, ENTERED);
  if (context.output.isHuman)
    context.output.note(`${next}: nexusctl messaging poll ${nameOf(result)} --follow`);
}

export function addSessions(messaging: Command, act: Act): void {
  const create = messaging
    .command("create")
    .description("make a session and enter it as its creator, who is never removed and can never leave")
    .option("--ttl <duration>", "how long it lives after its last message, such as 2h or 3660", seconds)
    .option("--max-agents <count>", "how many agents can be in it", count)
    .option("--greeting <text>", "its first message, for everybody who joins")
    .option("--as-member", "enter it like any other agent, who can leave");
  addEntry(create).action(
    act(async (context, options: CreateOptions) => {
      const { ttl, maxAgents, greeting, asMember, alias, server, ...write } = options;
      const input = given({
        ttlSeconds: ttl,
        maxAgents,
        greeting,
        asCreator: asMember && false,
        alias,
        server,
      });
      const result = await carryOut(context, "messaging.sessions.create", input, write);
      if (!result) return;
      await print(context, result, ENTERED);
      if (context.output.isHuman)
        context.output.note(`invite another agent with: nexusctl messaging pair ${nameOf(result)}`);
    }),
  );

  addEntry(messaging.command("join"))
    .description("enter a session whose id you know")
    .argument("<session>", "its whole id")
    .action(
      act(async (context, session: string, { alias, server, ...write }: EntryOptions) => {
        const input = given({ session, alias, server });
        const result = await carryOut(context, "messaging.sessions.join", input, write);
        await printEntered(context, result, "what the others write");
      }),
    );

  addWriteOptions(messaging.command("leave"))
    .description("leave a session, and stop polling it; a creator cannot")
    .argument("<session>")
    .action(
      act(async (context, session: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.sessions.leave", { session }, options);
        await done(context, result, `left ${session}`);
      }),
    );

  addWriteOptions(messaging.command("forget"))
    .description("poll and renew a session no more that cannot be left, so that it ends by expiry")
    .argument("<session>")
    .action(
      act(async (context, session: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.sessions.forget", { session }, options);
        await done(context, result, `forgot ${session}`);
      }),
    );

  const renew = messaging
    .command("renew")
    .description("let a session live on; nexusd does it by itself unless auto_renew is off")
    .argument("<session>")
    .option("--ttl <duration>", "for how long, such as 2h or 3660", seconds);
  addWriteOptions(renew).action(
    act(async (context, session: string, { ttl, ...write }: WriteOptions & { ttl?: number }) => {
      const input = given({ session, ttlSeconds: ttl });
      const result = await carryOut(context, "messaging.sessions.renew", input, write);
      if (result)
        await print(context, result, [
          ["state", "state"],
          ["ttl", "ends after (s)"],
          ["expiresAt", "ends"],
        ]);
    }),
  );

  addWriteOptions(messaging.command("alias"))
    .description("give a session a name, in place of the one it has")
    .argument("<session>")
    .argument("<alias>", "what to call it")
    .action(
      act(async (context, session: string, alias: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.aliases.upsert", { alias, session }, options);
        await done(context, result, `${alias} is ${session} from now on`);
      }),
    );

  addWriteOptions(messaging.command("unalias"))
    .description("take a name away; the session stays")
    .argument("<alias>")
    .action(
      act(async (context, alias: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.aliases.delete", { alias }, options);
        await done(context, result, `nothing is called ${alias} any more`);
      }),
    );
}

/** What there is to say where the fact itself is all. */
async function done(context: CliContext, result: Result | undefined, words: string): Promise<void> {
  if (!result) return;
  if (context.output.isHuman) context.output.note(words);
  else await print(context, result, []);
}
