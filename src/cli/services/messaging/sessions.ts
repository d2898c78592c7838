// nexusctl messaging create, join, leave, forget, renew, alias, unalias: membership in a session, and its name.

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

/** The fields shown by commands that join a session. */
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

/** The options for a session's name and server, for every command that joins one. */
export const addEntry = (command: Command): Command =>
  addWriteOptions(
    command
      .option("--alias <name>", "a name for the session")
      .option("--server <url>", "its server, one that nexusd knows; default: [messaging] base_url"),
  );

/** Prints how nexusd joined a session, and what to do next. */
export async function printEntered(context: CliContext, result: Result | undefined, next: string) {
  if (!result) return;
  await print(context, result, ENTERED);
  if (context.output.isHuman)
    context.output.note(`${next}: nexusctl messaging poll ${nameOf(result)} --follow`);
}

export function addSessions(messaging: Command, act: Act): void {
  const create = messaging
    .command("create")
    .description("create a session and join it as its creator, who is never removed and cannot leave")
    .option("--ttl <duration>", "how long it lives after its last message: 2h, or seconds", seconds)
    .option("--max-agents <count>", "the most agents that it can have", count)
    .option("--greeting <text>", "its first message, for everyone who joins")
    .option("--as-member", "join it as an ordinary member, who can leave");
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
    .description("join a session by its id")
    .argument("<session>", "its whole id")
    .action(
      act(async (context, session: string, { alias, server, ...write }: EntryOptions) => {
        const input = given({ session, alias, server });
        const result = await carryOut(context, "messaging.sessions.join", input, write);
        await printEntered(context, result, "what the others write");
      }),
    );

  addWriteOptions(messaging.command("leave"))
    .description("leave a session and stop polling it; its creator cannot")
    .argument("<session>")
    .action(
      act(async (context, session: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.sessions.leave", { session }, options);
        await done(context, result, `left ${session}`);
      }),
    );

  addWriteOptions(messaging.command("forget"))
    .description("stop tracking a session that cannot be left; it expires on its own")
    .argument("<session>")
    .action(
      act(async (context, session: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.sessions.forget", { session }, options);
        await done(context, result, `forgot ${session}`);
      }),
    );

  const renew = messaging
    .command("renew")
    .description("extend the life of a session; nexusd does it itself unless auto_renew is off")
    .argument("<session>")
    .option("--ttl <duration>", "its life from now on: 2h, or seconds", seconds);
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
    .description("give a session an alias, replacing its previous one")
    .argument("<session>")
    .argument("<alias>", "the name")
    .action(
      act(async (context, session: string, alias: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.aliases.upsert", { alias, session }, options);
        await done(context, result, `${alias} now names ${session}`);
      }),
    );

  addWriteOptions(messaging.command("unalias"))
    .description("remove the alias of a session")
    .argument("<alias>")
    .action(
      act(async (context, alias: string, options: WriteOptions) => {
        const result = await carryOut(context, "messaging.aliases.delete", { alias }, options);
        await done(context, result, `${alias} no longer names a session`);
      }),
    );
}

/** The output of commands that only report success. */
async function done(context: CliContext, result: Result | undefined, words: string): Promise<void> {
  if (!result) return;
  if (context.output.isHuman) context.output.note(words);
  else await print(context, result, []);
}
