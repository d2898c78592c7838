// nexusctl read: one read of a service.

import type { Command } from "commander";
import { visible } from "../../core/text/visible.ts";
import { type Act, jsonOf } from "../context.ts";
import { readable } from "../terminal/readable.ts";
import { addCall, type CallOptions, inputOf, printHelp } from "./operation-call.ts";

export function addRead(program: Command, act: Act): void {
  const command = program.command("read").description("call a read operation of a service");
  addCall(command).action(
    act(async (context, name: string | undefined, args: string[], options: CallOptions) => {
      const { client, output, io } = context;
      if (options.help || name === undefined) return await printHelp(context, command, name, options);
      const input = await inputOf(context, name, args, options.input);
      const answer = await client.read(name, input, { signal: io.signal });
      if (!output.isHuman) return await output.json(jsonOf(answer));
      const { output: found, meta } = answer;
      for (const line of readable(found, io.terminal?.columns ?? 80)) await output.line(line);
      const waited = meta.waitedMs ? `, after ${meta.waitedMs} ms for its turn` : "";
      output.note(`${visible(meta.service)} answered in ${meta.durationMs} ms${waited}`);
    }),
  );
}
