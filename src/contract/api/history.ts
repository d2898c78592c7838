// The last hour, day or month of nexusd: a few series of figures that it stores itself.

import { z } from "zod";

export const HISTORY_RANGES = ["hour", "day", "month"] as const;
export type HistoryRange = (typeof HISTORY_RANGES)[number];

const series = z.object({
  name: z
    .string()
    .describe('What it is, for programs: "delay.median:messages", "budget.used:ORIGIN", "writes:succeeded"'),
  title: z.string().describe("The same for a person"),
  unit: z.enum(["ms", "requests", "writes", "wakes", "events", "bytes"]),
  values: z
    .array(z.number().nullable())
    .describe("One for each step, the oldest first; null: nexusd did not run, or nothing was measured"),
});

export const historyAnswer = z
  .object({
    range: z.enum(HISTORY_RANGES),
    from: z.string().describe("When the first step begins"),
    to: z.string().describe("When the last step ends, at which point it may not be over"),
    stepSeconds: z.int(),
    asOf: z.string().nullable().describe("What is newer is not in it; null: nothing was measured yet"),
    series: z.array(series),
  })
  .meta({ id: "History" });

export type HistoryView = z.output<typeof historyAnswer>;
export type HistorySeries = z.output<typeof series>;
