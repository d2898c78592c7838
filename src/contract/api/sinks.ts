// Sinks as the API shows them: which are woken when there is something to read, and whether their events are read.

import { z } from "zod";

const count = z.int().min(0);
const ms = z.number().nullable();

export const sinkStatus = z
  .object({
    name: z.string(),
    kind: z.string(),
    consumer: z.string().describe("The consumer whose position tells what was read"),
    types: z.array(z.string()),
    state: z
      .enum(["quiet", "due", "waiting", "stuck"])
      .describe(
        "`quiet`: nothing is pending; `due`: a wake goes out at `nextWakeAt`; `waiting`: one went out, and nothing has been acknowledged since; `stuck`: waiting for longer than `stuck_after`",
      ),
    since: z.string().describe("Since when it is in this state"),
    pausedBy: z
      .enum(["operator", "target"])
      .nullable()
      .describe("`target`: it refused permanently; null: the sink is not paused"),
    running: z.boolean().describe("Whether a wake is being delivered now"),
    pending: count.describe("Events not acknowledged, counted up to 1000"),
    isMore: z.boolean().describe("Whether there are more than `pending`"),
    oldestPendingAt: z.string().nullable().describe("When the oldest of them was logged"),
    wakes: count.describe("Wakes delivered since the sink was created, without tests"),
    acknowledged: count.describe("Events acknowledged since the sink was created"),
    eventsPerWake: z.number().nullable(),
    acknowledgementMs: z
      .object({ last: ms, median: ms, p99: ms })
      .describe("From the oldest event to its acknowledgement, over the last 256 since nexusd started"),
    lastWakeAt: z.string().nullable(),
    lastAcknowledgedAt: z.string().nullable(),
    nextWakeAt: z.string().nullable().describe("null: nothing is pending, or the sink is paused"),
    failing: z.boolean().describe("Whether the target refused the last wake"),
    lastError: z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable(),
  })
  .meta({ id: "Sink" });

export const sinksAnswer = z.object({ asOf: z.string(), sinks: z.array(sinkStatus) });

export const sinkTest = z.object({
  outcome: z
    .enum(["heard", "acknowledged", "refused", "running"])
    .describe("`running`: the target has not answered after 10 s; the test goes on"),
  code: z.string().nullable(),
  message: z.string().nullable().describe("Why it was refused, and what to do"),
  tookMs: z.number(),
});

export type SinkStatus = z.output<typeof sinkStatus>;
export type SinksView = z.output<typeof sinksAnswer>;
export type SinkTest = z.output<typeof sinkTest>;
