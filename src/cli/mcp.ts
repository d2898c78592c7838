// nexusctl mcp: the MCP server on stdin and stdout, started by agent runtimes.

import type { Command } from "commander";
import { consumerName } from "./arguments.ts";
import type { Act } from "./context.ts";
import { serveMcp } from "./mcp-start.ts";

const NOTES = `
Speaks the Model Context Protocol, revisions 2025-11-25 and 2026-07-28 (and older ones), and is meant to be started by an
agent runtime. Twelve tools: events_read, events_ack, events_wait, sessions_list, messages_read, messages_send,
insights_search, operations_find, operations_describe, read, propose, writes_get. It ends with stdin, with the process
that started it, and on SIGTERM. A daemon that is away is told to the agent; the server goes on.`;

export function addMcp(program: Command, act: Act): void {
  program
    .command("mcp")
    .description("serve the Model Context Protocol on stdin and stdout, for agents")
    .option(
      "--consumer <name>",
      "the consumer of this agent; created if missing, from the end of the log on",
      consumerName,
    )
    .addHelpText("after", NOTES)
    .action(
      act(async ({ client, io }, { consumer }: { consumer?: string }) => {
        await serveMcp(client, consumer, io.signal);
      }),
    );
}
