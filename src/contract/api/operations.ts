// What the services can be asked to do, and what a read answers.

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
      .describe("What the policy says of it now; null: it is a read"),
    idempotent: z.boolean().describe("Whether doing it twice is the same as once"),
    destructive: z.boolean().describe("Whether it deletes for good"),
    inputSchema: z.unknown().describe("JSON Schema"),
    describedBy: z
      .literal("service")
      .exactOptional()
      .describe("The service wrote title, description and inputSchema: text of unknown origin"),
  })
  .meta({ id: "Operation" });

export const readAnswer = z.object({
  output: z.unknown().describe("What the operation makes of the service's answer"),
  meta: z.object({
    service: serviceName,
    durationMs: z.number().describe("What the answer took, in milliseconds, without the waiting"),
    waitedMs: z.number().describe("What it waited for its turn in the limits of nexusd, in milliseconds"),
  }),
});

export type OperationView = z.output<typeof operation>;
export type ReadAnswer = z.output<typeof readAnswer>;
