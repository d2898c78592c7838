// A page of the log, as the API returns it.

import { z } from "zod";

/** An event of the log as it is served. */
export const cloudEvent = z
  .object({
    specversion: z.literal("1.0"),
    id: z.string(),
    source: z.string(),
    type: z.string(),
    subject: z.string().optional(),
    time: z.string(),
    datacontenttype: z.string(),
    data: z.unknown(),
    sequence: z.string(),
  })
  .meta({ id: "Event", description: "A CloudEvent 1.0; `sequence` is its number in the log" });

export const eventPage = z
  .object({
    epoch: z.string(),
    events: z.array(cloudEvent),
    next: z.int().describe("What to pass as `after` next"),
    oldest: z.int(),
    latest: z.int(),
    gap: z
      .object({ from: z.int(), to: z.int() })
      .nullable()
      .describe("Sequences after the position that retention removed, both inclusive"),
  })
  .meta({ id: "EventPage" });

export type EventPageView = z.output<typeof eventPage>;
/** The sequences after a position that retention removed, both inclusive. */
export type LogGap = NonNullable<EventPageView["gap"]>;
