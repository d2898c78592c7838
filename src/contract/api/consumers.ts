// Consumers as the API shows them: named reading positions that outlive their readers.

import { z } from "zod";

export const consumer = z
  .object({
    name: z.string(),
    position: z.int().describe("The last acknowledged sequence"),
    types: z.array(z.string()).nullable(),
    isBound: z.boolean().describe("Whether an agent needs its token to place, move or delete it"),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: "Consumer" });

export const placed = consumer.extend({
  token: z.string().optional().describe("Of a new one, where it was asked for with `bind`: given this once"),
});

export const consumerPage = z.object({
  consumers: z.array(consumer),
  next: z.string().nullable().describe("What to pass as `after` next; null: there are no more"),
});

export type ConsumerPage = z.output<typeof consumerPage>;
export type ConsumerView = z.output<typeof consumer>;
export type PlacedConsumer = z.output<typeof placed>;
