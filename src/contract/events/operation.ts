// The daemon itself: its services, jobs and life.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure, time } from "./fields.ts";

const service = z.string().describe("its name");
const state = z.string().describe("`ok`, `degraded` or `down`");
const job = z.string();
const failures = z.int().nonnegative().describe("failures in a row before it");

export const operationEvents = {
  "service.degraded": declareEvent({
    when: "A service works less well than before.",
    subject: null,
    data: z.object({ service, state, ...failure }),
    example: {
      service: "nex",
      state: "down",
      code: "connection_refused",
      message: "cannot connect to the service",
    },
  }),
  "service.recovered": declareEvent({
    when: "A service works again.",
    subject: null,
    data: z.object({ service, state }),
    example: { service: "nex", state: "ok" },
  }),
  "job.failed": declareEvent({
    when: "A job began to fail; reported once until it works again.",
    subject: "the job",
    data: z.object({
      job,
      ...failure,
      retryInMs: z.number().describe("milliseconds until the next attempt"),
    }),
    example: { job: "nexus-low-stock", code: "timeout", message: "no answer within 30 s", retryInMs: 1000 },
  }),
  "job.missed": declareEvent({
    when: "Scheduled runs of a job were missed, because nexusd was not running or the machine slept.",
    subject: "the job",
    data: z.object({
      job,
      missed: z.int().nonnegative().describe("how many runs"),
      since: time.describe("when the first one was scheduled"),
      catchUp: z.boolean().describe("whether the job runs once now to make up for them"),
    }),
    example: { job: "retention", missed: 1, since: "2026-11-30T03:17:00.000Z", catchUp: true },
  }),
  "job.recovered": declareEvent({
    when: "A job works again.",
    subject: "the job",
    data: z.object({ job, failures }),
    example: { job: "nexus-low-stock", failures: 4 },
  }),
  "daemon.started": declareEvent({
    when: "nexusd started.",
    subject: null,
    data: z.object({ version: z.string(), pid: z.int().nonnegative() }),
    example: { version: "0.2.0", pid: 4711 },
  }),
  "daemon.stopped": declareEvent({
    when: "nexusd stopped normally; a killed one logs nothing.",
    subject: null,
    data: z.object({ reason: z.string() }),
    example: { reason: "SIGTERM" },
  }),
};
