// What a tool is: declared with the shapes of its input and its answer, run with a client of the daemon.

import type { z } from "zod";
import type { Client } from "../client/client.ts";

export interface ToolContext {
  client: Client;
  /** Aborts when the caller has cancelled, or gone. */
  signal: AbortSignal;
  /** The name of a consumer: the given one, or that of the server, which is made where it is missing. @throws ToolError */
  consumer(given: string | undefined): Promise<string>;
  /** What the server was started for, where it was. */
  ownConsumer: string | undefined;
}

interface Annotations {
  readOnlyHint: boolean;
  /** Of a tool that changes something: whether it may delete for good. */
  destructiveHint?: boolean;
  idempotentHint?: boolean;
  /** Whether it reaches the services, and people beyond them. */
  openWorldHint: boolean;
}

export interface Tool {
  name: string;
  title: string;
  description: string;
  annotations: Annotations;
  input: z.ZodType;
  output: z.ZodType;
  /** @param input as `input` has parsed it */
  run(input: unknown, context: ToolContext): Promise<Record<string, unknown>>;
}

/** Types `run` by the shapes; from then on only the shapes know them. */
export function defineTool<Input extends z.ZodType, Output extends z.ZodType<Record<string, unknown>>>(
  tool: Omit<Tool, "input" | "output" | "run"> & {
    input: Input;
    output: Output;
    run(input: z.output<Input>, context: ToolContext): Promise<z.input<Output>>;
  },
): Tool {
  return {
    ...tool,
    // The server parses with `input` before it calls.
    run: (input, context) => tool.run(input as z.output<Input>, context) as Promise<Record<string, unknown>>,
  };
}

/** A failure that the agent can do something about, in words of our own. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
