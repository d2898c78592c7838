// nexusctl messaging ls, status, members, health, stats: the state of sessions and servers.

import type { Command } from "commander";
import { short } from "../../../core/redaction.ts";
import { type Act, type CliContext, jsonOf } from "../../context.ts";
import { ofState } from "../../terminal/colour.ts";
import { age } from "../../terminal/output.ts";
import { ask, given, print, type Result, text } from "./call.ts";

export function addViews(messaging: Command, act: Act): void {
  messaging
    .command("ls")
    .description("list the sessions that nexusd is or was in, from its own records")
    .action(
      act(async ({ client, io, output }) => {
        const answer = await client.sessions({ signal: io.signal });
        if (!output.isHuman) return await output.json(jsonOf(answer));
        const { sessions } = answer;
        if (sessions.length === 0)
          return output.note("no session yet: nexusctl messaging create, join or claim");
        const cut = await output.table(
          ["ALIAS", "SESSION", "STATE", "AGENT", "ENDS", "LAST POLLED", "SERVER", "WHY"],
          sessions.map((session) => [
            session.alias,
            short(session.sessionId),
            ofState(session.state),
            session.agentId,
            session.expiresAt === null ? null : age(session.expiresAt),
            age(session.lastPolledAt),
            session.baseUrl,
            session.reason?.message,
          ]),
        );
        for (const index of cut) {
          const session = sessions[index];
          if (session?.reason)
            await output.text(`${session.alias ?? short(session.sessionId)}: ${session.reason.message}`);
        }
      }),
    );

  messaging
    .command("status")
    .description("show a session as its server knows it; costs one request")
    .argument("<session>")
    .action(
      act(async (context, session: string) => {
        const result = await ask(context, "messaging.sessions.get", { session });
        await print(context, result, [
          ["sessionId", "session"],
          ["state", "state"],
          ["creatorAgentId", "creator"],
          ["agents", "agents"],
          ["maxAgents", "agents at most"],
          ["ttl", "ends after (s)"],
          ["expiresAt", "ends"],
        ]);
      }),
    );

  messaging
    .command("members")
    .description("list the agents of a session and when each was last seen; costs one request")
    .argument("<session>")
    .action(
      act(async (context, session: string) => {
        const result = await ask(context, "messaging.members.list", { session });
        if (context.output.isHuman) await printMembers(context, result);
        else await print(context, result, []);
      }),
    );

  messaging
    .command("health")
    .description("show whether a server answers, how long it has run and what it supports")
    .argument("[server]", "its URL; default: [messaging] base_url")
    .action(
      act(async (context, server: string | undefined) => {
        const result = await ask(context, "messaging.servers.get_health", given({ server }));
        await print(context, result, [
          ["status", "status"],
          ["version", "version"],
          ["uptime", "running for (s)"],
          ["capabilities", "capabilities"],
        ]);
      }),
    );

  messaging
    .command("stats")
    .description("show how many sessions, agents and messages a server has")
    .argument("[server]", "its URL; default: [messaging] base_url")
    .action(
      act(async (context, server: string | undefined) => {
        const result = await ask(context, "messaging.servers.get_stats", given({ server }));
        await print(context, result, [
          ["activeSessions", "sessions"],
          ["totalAgents", "agents"],
          ["totalMessages", "messages"],
          ["uptime", "running for (s)"],
        ]);
      }),
    );
}

/** A table for a person of the answer's `members`, whatever they are. */
export async function printMembers({ output }: CliContext, { members }: Result): Promise<void> {
  const rows: unknown[] = Array.isArray(members) ? members : [];
  await output.table(
    ["AGENT", "LAST SEEN"],
    rows.map((member) => {
      const { agentId, lastSeenAt }: Result = typeof member === "object" ? { ...member } : {};
      return [text(agentId ?? member), typeof lastSeenAt === "string" ? age(lastSeenAt) : null];
    }),
  );
}
