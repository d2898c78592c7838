// Work that continues in Nex after a write was answered: what is stored of it, and what Nex says of it.

import { z } from "zod";
import type { EventData } from "../../contract/new-event.ts";
import { fieldsOf, segment } from "../input.ts";
import { FOLLOWED } from "./followed.ts";

/** The kind of the records of followed work; the key is the id of the write. */
export const FOLLOW_KIND = "nex.follow";

export const followRecord = z.object({
  writeId: z.string(),
  operation: z.string(),
  /** Of the artifact or job. */
  id: z.string(),
  /** RFC 3339: when the write was answered. */
  startedAt: z.string(),
  /** As Nex last reported it; null: not asked yet. */
  status: z.string().nullable(),
});
export type Follow = z.output<typeof followRecord>;

/** What to follow after a write that succeeded; undefined: nothing. */
export function followOf(write: {
  id: string;
  operation: string;
  finishedAt: string | null;
  proposedAt: string;
  result: { output?: unknown } | null;
}): Follow | undefined {
  const id = fieldsOf(write.result?.output)[FOLLOWED[write.operation]?.id ?? ""];
  if (typeof id !== "string") return undefined;
  const startedAt = write.finishedAt ?? write.proposedAt;
  return { writeId: write.id, operation: write.operation, id, startedAt, status: null };
}

/** Where Nex reports it, below `/v1`. */
export const progressPath = ({ operation, id }: Follow): string =>
  `${FOLLOWED[operation]?.path ?? ""}/${segment(id)}`;

export const progressLabel = ({ operation }: Follow): string =>
  `GET /v1${FOLLOWED[operation]?.path ?? ""}/:id`;

type NexWork = Omit<EventData["nex.context.progressed"], "status">;

/** Which work an event is about. */
export const followRef = ({ writeId, operation, id }: Follow): NexWork =>
  FOLLOWED[operation]?.id === "jobId"
    ? { writeId, operation, jobId: id }
    : { writeId, operation, artifactId: id };

export type Progress =
  | { kind: "working"; status: string }
  | { kind: "completed"; result: unknown }
  | { kind: "failed"; message: string };

/** Reads both documented shapes, with and without a wrapper; undefined if there is no status. */
export function readProgress(body: unknown): Progress | undefined {
  const { message: inner, data } = fieldsOf(body);
  const shown = [inner, data, body].map(fieldsOf).find(({ status }) => typeof status === "string");
  if (shown === undefined) return undefined;
  const { status, result, error, ...rest } = shown;
  switch (status) {
    case "completed":
      return { kind: "completed", result: result ?? rest };
    case "failed":
      return {
        kind: "failed",
        message: typeof error === "string" && error ? error : "Nex does not say why.",
      };
    default:
      return { kind: "working", status: String(status) };
  }
}
