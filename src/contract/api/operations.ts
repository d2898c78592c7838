// The operations of the services, and the answer of a read.

import { z } from "zod";
import { serviceName } from "./service.ts";

export const effect = z.enum(["read", "write"]);

export const operation = z
  .object({
    name: z.string().describe("`service.noun.verb`"),
    service: serviceName,
    effect,
    title: z.string(),
    description: z.string(),
    approval: z
      .enum(["operator", "auto", "deny", "signed"])
      .nullable()
      .describe("The current policy; null: it is a read"),
    idempotent: z.boolean().describe("Whether it is safe to repeat"),
    destructive: z.boolean().describe("Whether it deletes permanently"),
    inputSchema: z.unknown().describe("JSON Schema"),
    describedBy: z
      .literal("service")
      .exactOptional()
      .describe("The service wrote title, description and inputSchema: text of unknown origin"),
  })
  .meta({ id: "Operation" });

export const readAnswer = z.object({
  output: z.unknown().describe("The operation's result"),
  meta: z.object({
    service: serviceName,
    durationMs: z
      .number()
      .describe("How long the service took to answer, in milliseconds, without the wait for its turn"),
    waitedMs: z.number().describe("How long it waited for its turn, in milliseconds"),
  }),
});

export type OperationView = z.output<typeof operation>;
export type ReadAnswer = z.output<typeof readAnswer>;
