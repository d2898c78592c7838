// Delivery: whether announced events are read.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure, time } from "./fields.ts";

const sink = z.string().describe("its name");
const consumer = z.string();

export const sinkEvents = {
  "sink.stuck": declareEvent({
    when: "Nothing was acknowledged for `stuck_after`; wakes go on, less and less often.",
    subject: "the sink",
    data: z.object({
      sink,
      consumer,
      since: time.describe("since when nothing has been acknowledged"),
      pending: z.int().nonnegative().describe("how many events are pending, counted up to 1000"),
      wakes: z.int().nonnegative().describe("how many wakes went out since then"),
    }),
    example: { sink: "agent", consumer: "agent", since: "2026-11-30T10:00:00.000Z", pending: 3, wakes: 5 },
  }),
  "sink.failed": declareEvent({
    when: "The target of a sink refused a wake; reported once until it accepts one.",
    subject: "the sink",
    data: z.object({
      sink,
      ...failure,
      isFinal: z.boolean().describe("whether this pauses the sink until an operator resumes it"),
    }),
    example: {
      sink: "agent",
      code: "command_missing",
      message: "the command does not exist",
      isFinal: false,
    },
  }),
  "sink.recovered": declareEvent({
    when: "An event was acknowledged again, or the target of a sink accepts wakes again.",
    subject: "the sink",
    data: z.object({
      sink,
      from: z.enum(["stuck", "failed"]).describe("what it has recovered from"),
      since: time.describe("since when it was in that state"),
    }),
    example: { sink: "agent", from: "stuck", since: "2026-11-30T10:10:00.000Z" },
  }),
};
