// Insights, their stream, work and notifications of Nex.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { failure, time } from "./fields.ts";

const gap = z.object({
  from: time.describe("by Nex's clock"),
  to: time,
  reason: z.string().describe("why it could not be closed, for a person"),
});

/** Work that a write has started in Nex: processing a text, or building a list. */
const work = {
  writeId: z.string(),
  operation: z.string(),
  artifactId: z.string().optional().describe("of a text"),
  jobId: z.string().optional().describe("of a list"),
};
const TEXT = {
  writeId: "01M7XZT09MNS1PP9GFZDJDF428",
  operation: "nex.context.add_text",
  artifactId: "48066188026052610",
};

export const nexEvents = {
  "nex.insight.received": declareEvent({
    when: "Nex sent a new insight; each insight is logged once, whichever way it came.",
    subject: null,
    data: z.object({
      insight: z.unknown().describe("as Nex gave it; integers above 2^53 keep their digits"),
      workspace: z.unknown().describe("the workspace of its batch, as Nex gave it"),
      origin: z
        .enum(["replay", "live", "backfill"])
        .describe("sent again on connect, sent as it happened, or fetched for a missed period"),
    }),
    example: {
      insight: {
        type: "opportunity",
        content: "Maria Lopez asked for a quote for more filters.",
        confidence_level: "high",
      },
      workspace: { name: "Sandbox shop", slug: "sandbox-shop" },
      origin: "live",
    },
  }),
  "nex.stream.opened": declareEvent({
    when: "The insight stream is open.",
    subject: null,
    data: z.object({ afterFailures: z.int().nonnegative().describe("attempts that failed before") }),
    example: { afterFailures: 0 },
  }),
  "nex.stream.lost": declareEvent({
    when: "The insight stream ended or was given up; nexusd tries again.",
    subject: null,
    data: z.object(failure),
    example: { code: "stream_silent", message: "nothing came for 90 s" },
  }),
  "nex.stream.fallback": declareEvent({
    when: "The stream stays unavailable; insights are fetched by REST meanwhile.",
    subject: null,
    data: z.object({
      pollEveryMs: z.number().describe("milliseconds between two fetches"),
      failures: z.int().nonnegative().describe("streams in a row that failed"),
    }),
    example: { pollEveryMs: 60_000, failures: 3 },
  }),
  "nex.stream.gap": declareEvent({
    when: "Insights of a period may be missing from the log.",
    subject: null,
    data: gap,
    example: {
      from: "2026-11-30T10:00:00.000Z",
      to: "2026-11-30T10:00:01.000Z",
      reason: "Nex gives no more than 100 of one second",
    },
  }),
  "nex.context.progressed": declareEvent({
    when: "Work that a write started in Nex is in progress.",
    subject: null,
    data: z.object({ ...work, status: z.string().describe("in the words of Nex") }),
    example: { ...TEXT, status: "processing" },
  }),
  "nex.context.completed": declareEvent({
    when: "Work that a write started in Nex has its result.",
    subject: null,
    data: z.object({ ...work, result: z.unknown().describe("as Nex gave it") }),
    example: { ...TEXT, result: { entities_created: 2 } },
  }),
  "nex.context.failed": declareEvent({
    when: "Work that a write started in Nex failed there, or its result can no longer be fetched.",
    subject: null,
    data: z.object({ ...work, error: z.string() }),
    example: { ...TEXT, error: "Nex says that it failed" },
  }),
  "nex.notification.received": declareEvent({
    when: "The notification feed has a new notification.",
    subject: null,
    data: z.object({ notification: z.unknown().describe("as Nex gave it") }),
    example: { notification: { id: "n-1", type: "context_alert" } },
  }),
  "nex.notification.gap": declareEvent({
    when: "Notifications of a period may be missing from the log.",
    subject: null,
    data: gap,
    example: {
      from: "2026-11-30T10:00:00.000Z",
      to: "2026-11-30T10:05:00.000Z",
      reason: "more than 50 notifications, which is the most that Nex returns at once",
    },
  }),
};
