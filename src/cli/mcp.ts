// nexusctl mcp: the MCP server on stdin and stdout, for agent runtimes that start it.

import { type Command, InvalidArgumentError } from "commander";
import { readVersion } from "../config/version.ts";
import { systemClock } from "../core/clock.ts";
import { onParentGone } from "../mcp/parent.ts";
import { serveOnStdio } from "../mcp/stdio.ts";
import type { Act } from "./context.ts";

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
      "the consumer of this agent; made where it is missing, from the end of the log on",
      consumerName,
    )
    .addHelpText("after", NOTES)
    .action(
      act(async ({ client, io }, { consumer }: { consumer?: string }) => {
        const server = serveOnStdio({
          ...{ client, consumer, version: readVersion() },
          ...{ clock: systemClock, random: Math.random },
        });
        onParentGone(() => process.exit());
        const stop = () => void server.close();
        io.signal.addEventListener("abort", stop, { once: true });
        if (io.signal.aborted) stop();
        await server.ended;
        // What is under way has nobody left to answer.
        process.exit();
      }),
    );
}

function consumerName(text: string): string {
  if (/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,64}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be 1 to 64 letters, digits, ".", "-" or "_".');
}
