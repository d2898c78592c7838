// Consumers as the API shows them: named cursors that outlive their readers.

import { z } from "zod";

export const consumer = z
  .object({
    name: z.string(),
    position: z.int().describe("The last acknowledged sequence"),
    types: z.array(z.string()).nullable(),
    isBound: z.boolean().describe("Whether an agent needs its token to reset, move or delete it"),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: "Consumer" });

const pending = z
  .object({
    count: z.int().describe("Counted up to 1000"),
    isMore: z.boolean().describe("Whether there are more than `count`"),
    oldest: z.int().nullable().describe("The first sequence that is pending; null: nothing is"),
    newest: z.int().nullable(),
    oldestAt: z.string().nullable().describe("When the oldest was committed"),
    types: z.record(z.string(), z.int()).describe("How many of the counted events have each type"),
  })
  .meta({ id: "Pending", description: "What a consumer has not acknowledged and the log still has" });

export const consumerDetail = consumer.extend({ pending }).meta({ id: "ConsumerDetail" });

export const placed = consumer.extend({
  token: z.string().optional().describe("Only for a new one with `bind`; returned only once"),
});

export const consumerPage = z.object({
  consumers: z.array(
    consumer
      .extend({ pending: pending.optional().describe("With `pending=true`") })
      .meta({ id: "ListedConsumer" }),
  ),
  next: z.string().nullable().describe("What to pass as `after` next; null: there are no more"),
});

export type ConsumerPage = z.output<typeof consumerPage>;
export type ListedConsumer = ConsumerPage["consumers"][number];
export type ConsumerDetailView = z.output<typeof consumerDetail>;
export type ConsumerView = z.output<typeof consumer>;
export type PlacedConsumer = z.output<typeof placed>;
