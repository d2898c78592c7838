// The consumer that the server was started for: created at the end of the log if it is missing.

import type { Client } from "../client/client.ts";
import { isNexusdError } from "../client/error.ts";
import { ToolError } from "./tool.ts";

export interface OwnConsumer {
  name: string | undefined;
  /** The given name, or the server's own. @throws ToolError if there is neither; NexusdError */
  resolve(given: string | undefined, signal?: AbortSignal): Promise<string>;
}

export function createOwnConsumer(client: Client, name: string | undefined): OwnConsumer {
  return {
    name,
    async resolve(given, signal) {
      if (given !== undefined && given !== name) return given;
      if (name === undefined)
        throw new ToolError(
          "no_consumer",
          "This server was started without a consumer: name one in `consumer`. An operator makes one with: nexusctl consumers create NAME --if-absent",
        );
      // Checked each time: if it is deleted while the server runs, it is created again.
      if ((await client.consumers.get(name, { signal })) !== undefined) return name;
      try {
        await client.consumers.create(name, { from: "latest", ifAbsent: true, signal });
      } catch (error) {
        if (!isNexusdError(error, "consumer_exists")) throw error;
      }
      return name;
    },
  };
}
