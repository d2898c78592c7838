// Hand-over: whether somebody reads what nexusd gives notice of.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure, time } from "./fields.ts";

const sink = z.string().describe("its name");
const consumer = z.string();

export const sinkEvents = {
  "sink.stuck": declareEvent({
    when: "Nobody has acknowledged anything for as long as `stuck_after`; it is woken on, ever more seldom.",
    subject: "the sink",
    data: z.object({
      sink,
      consumer,
      since: time.describe("from when on nothing was acknowledged"),
      pending: z.int().nonnegative().describe("how many events wait, counted up to 1000"),
      wakes: z.int().nonnegative().describe("how many wakes went out since then"),
    }),
    example: { sink: "agent", consumer: "agent", since: "2026-11-30T10:00:00.000Z", pending: 3, wakes: 5 },
  }),
  "sink.failed": declareEvent({
    when: "The target of a sink refused a wake; told once until it takes one.",
    subject: "the sink",
    data: z.object({
      sink,
      ...failure,
      isFinal: z.boolean().describe("whether the sink is paused by it until an operator resumes it"),
    }),
    example: {
      sink: "agent",
      code: "command_missing",
      message: "the command does not exist",
      isFinal: false,
    },
  }),
  "sink.recovered": declareEvent({
    when: "Something was acknowledged again, or the target of a sink takes wakes again.",
    subject: "the sink",
    data: z.object({
      sink,
      from: z.enum(["stuck", "failed"]).describe("what it has recovered from"),
      since: time.describe("since when it had been so"),
    }),
    example: { sink: "agent", from: "stuck", since: "2026-11-30T10:10:00.000Z" },
  }),
};
