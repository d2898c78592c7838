// A tool: declared with the schemas of its input and its answer, run with a client of the daemon.

import type { z } from "zod";
import type { Client } from "../client/client.ts";

export interface ToolContext {
  client: Client;
  /** Aborts when the caller has cancelled, or is gone. */
  signal: AbortSignal;
  /** The consumer's name: the given one, or the server's own, created if it is missing. @throws ToolError */
  consumer(given: string | undefined): Promise<string>;
  /** The consumer that the server was started for, if any. */
  ownConsumer: string | undefined;
}

interface Annotations {
  readOnlyHint: boolean;
  /** For a tool that changes something: whether it may delete permanently. */
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
  /** @param input parsed by `input` */
  run(input: unknown, context: ToolContext): Promise<Record<string, unknown>>;
}

/** Infers the types of `run` from the schemas; afterwards only the schemas know them. */
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

/** A failure that the agent can act on, in our own words. */
export class ToolError extends Error {
  override readonly name = "ToolError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
