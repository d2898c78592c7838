// nexusctl read: one read of a service.

import type { Command } from "commander";
import { visible } from "../core/text/visible.ts";
import { parsedExactly } from "./client.ts";
import type { Act } from "./context.ts";
import { addCall, type CallOptions, inputOf, printHelp } from "./operation-call.ts";
import { readable } from "./readable.ts";

// Longer than the slowest service is given, which is two minutes.
const TIMEOUT_MS = 150_000;

export function addRead(program: Command, act: Act): void {
  const command = program.command("read").description("read from a service");
  addCall(command).action(
    act(async (context, name: string | undefined, args: string[], options: CallOptions) => {
      const { client, output, io } = context;
      if (options.help || name === undefined) return await printHelp(context, command, name, options);
      const input = await inputOf(context, name, args, options.input);
      const answer = await client.call("POST", "/v1/reads", {
        body: { operation: name, input },
        signal: io.signal,
        timeoutMs: TIMEOUT_MS,
      });
      if (!output.isHuman) return await output.json(answer.text.trim());
      const { output: found, meta } = parsedExactly<{ output: unknown; meta: Meta }>(answer);
      for (const line of readable(found, io.terminal?.columns ?? 80)) await output.line(line);
      const waited = meta.waitedMs ? `, after ${meta.waitedMs} ms for its turn` : "";
      output.note(`${visible(meta.service)} answered in ${meta.durationMs} ms${waited}`);
    }),
  );
}

interface Meta {
  service: string;
  durationMs: number;
  waitedMs: number;
}
