// The nodes of a fleet.

import { z } from "zod";
import { declareEvent } from "../event.ts";
import { time } from "./fields.ts";

const node = z.string().describe("its name");

export const nodeEvents = {
  "node.joined": declareEvent({
    when: "A node of a fleet started, or is back after it was lost.",
    subject: "the node",
    data: z.object({ node, version: z.string(), startedAt: time }),
    example: { node: "b", version: "0.2.0", startedAt: "2026-11-30T10:00:00.000Z" },
  }),
  "node.left": declareEvent({
    when: "A node of a fleet stopped normally, after it gave away what it did.",
    subject: "the node",
    data: z.object({ node, reason: z.string() }),
    example: { node: "b", reason: "SIGTERM" },
  }),
  "node.lost": declareEvent({
    when: "A node of a fleet no longer reports; the others take over what it did. Reported once, by any of them.",
    subject: "the node",
    data: z.object({ node, version: z.string(), seenAt: time.describe("when it last reported") }),
    example: { node: "b", version: "0.2.0", seenAt: "2026-11-30T10:10:00.000Z" },
  }),
};
