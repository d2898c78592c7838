// The schema of a notice. Separate from its text, which nexusctl needs without zod.

import { z } from "zod";
import { CONSUMER_NAME } from "./consumer-name.ts";
import { TYPE } from "./notice.ts";

export const notice = z
  .strictObject({
    consumer: z.string().regex(CONSUMER_NAME),
    pending: z.int().min(0).describe("How many events it has not acknowledged, counted up to 1000"),
    isMore: z.boolean().describe("Whether there are more than `pending`"),
    oldest: z.int().nullable().describe("The first pending sequence; null: nothing is pending"),
    newest: z.int().nullable(),
    types: z
      .record(z.string().regex(TYPE), z.int().min(1))
      .describe("How many of the counted events have each type"),
    sink: z
      .string()
      .regex(CONSUMER_NAME)
      .optional()
      .describe("The sink that sends the notice, if there is one"),
    test: z.literal(true).optional().describe("A test requested by a person"),
  })
  .meta({
    id: "Notice",
    description: "Says that a consumer has something to read; only the log says what",
  });

export type Notice = z.output<typeof notice>;
