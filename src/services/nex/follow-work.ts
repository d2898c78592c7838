// Follows the work that writes have started in Nex, until an event reports its result.

import type { NewEvent, StoredEvent } from "../../contract/new-event.ts";
import { parseJson } from "../../core/exact-json.ts";
import { HttpError } from "../../http/errors.ts";
import type { JobContext } from "../job.ts";
import { PREFIX } from "./client.ts";
import {
  FOLLOW_KIND,
  type Follow,
  followOf,
  followRecord,
  followRef,
  type Progress,
  progressLabel,
  progressPath,
  readProgress,
} from "./follow.ts";
import { isFollowed } from "./followed.ts";
import { unknownShape } from "./operation.ts";

const CURSOR = "nex.follow";
const SOURCE = "/nex/context";
const AT_ONCE = 4;
/** From the answer to the write. Work that is not done by then is given up, unless Nex itself could not be asked. */
const DEADLINE_MS = 30 * 60_000;
/** How long Nex may not know what it has just started. */
const UNKNOWN_FOR_MS = 60_000;
const PAGE = 100;

/** Checks everything that is followed, once. */
export async function followStep(context: JobContext): Promise<void> {
  await adopt(context);
  const follows = (await context.store.readRecords(FOLLOW_KIND)).map(({ value }) =>
    followRecord.parse(value),
  );
  const failures: unknown[] = [];
  const waiting = [...follows];
  const work = async () => {
    for (let next = waiting.shift(); next && !context.signal.aborted; next = waiting.shift())
      await look(context, next).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}

/**
 * The event that a write succeeded is in the log exactly when its result is in the database. From then on, the work has
 * its own record, in the commit that moves the cursor: a restart in between changes nothing.
 */
async function adopt({ store, log }: JobContext): Promise<void> {
  const stored = (await store.readCursor(CURSOR))?.value as { sequence: number } | undefined; // written below
  for (let after = stored?.sequence ?? 0, isLast = false; !isLast; ) {
    const page = await store.readEvents({ after, limit: PAGE, types: ["write.succeeded"] });
    isLast = page.events.length < PAGE;
    const begun: Follow[] = [];
    for (const { writeId } of page.events.map(stepOf).filter(({ operation }) => isFollowed(operation))) {
      const write = await store.readWrite(writeId);
      const follow = write && followOf(write);
      if (follow) begun.push(follow);
    }
    after = page.events.at(-1)?.sequence ?? after;
    // Other writes move the cursor only if there are many: a check that finds nothing causes no write.
    if (begun.length === 0 && isLast) return;
    await store.commitObservation({
      source: CURSOR,
      cursor: { sequence: after },
      put: begun.map((value) => ({ kind: FOLLOW_KIND, key: value.writeId, value })),
    });
    for (const { writeId, operation } of begun) log.info({ writeId, operation }, "following work in Nex");
  }
}

const stepOf = ({ json }: StoredEvent): { writeId: string; operation: string } =>
  // The log's contract.
  (parseJson(json) as { data: { writeId: string; operation: string } }).data;

async function look(context: JobContext, follow: Follow): Promise<void> {
  const { store, log } = context;
  const { writeId } = follow;
  const progress = await ask(context, follow);
  context.progress();
  if (progress.kind === "working" && progress.status === follow.status) return;
  const isDone = progress.kind !== "working";
  const key = { kind: FOLLOW_KIND, key: writeId };
  await store.commitObservation({
    source: CURSOR,
    events: [eventOf(follow, progress)],
    ...(isDone ? { remove: [key] } : { put: [{ ...key, value: { ...follow, status: progress.status } }] }),
  });
  if (isDone)
    log.info({ writeId, operation: follow.operation, state: progress.kind }, "Nex finished its work");
}

/** What Nex says, or what its silence means. @throws HttpError if it can be asked again */
async function ask(context: JobContext, follow: Follow): Promise<Progress> {
  const { steady, services, signal } = context;
  const isPast = (ms: number) => steady.isOlder(Date.parse(follow.startedAt), ms);
  const label = progressLabel(follow);
  let progress: Progress | undefined;
  try {
    const path = `${PREFIX}${progressPath(follow)}`;
    const response = await services.nex.http.request({ method: "GET", path, label, signal });
    progress = readProgress(response.json());
    if (!progress) throw unknownShape(response.status, label);
  } catch (error) {
    const isUnknown = error instanceof HttpError && (error.status === 404 || error.status === 400);
    if (isUnknown && !isPast(UNKNOWN_FOR_MS)) return { kind: "working", status: "unknown" };
    if (isUnknown) return { kind: "failed", message: `Nex does not know it: ${error.message}.` };
    if (!isUnreadable(error) || !isPast(DEADLINE_MS)) throw error;
    return { kind: "failed", message: error.message };
  }
  if (progress.kind !== "working" || !isPast(DEADLINE_MS)) return progress;
  const minutes = DEADLINE_MS / 60_000;
  return {
    kind: "failed",
    message: `It did not finish within ${minutes} min; Nex may still be working on it.`,
  };
}

const isUnreadable = (error: unknown): error is HttpError =>
  error instanceof HttpError && error.kind === "invalid_body";

function eventOf(follow: Follow, progress: Progress): NewEvent {
  const ref = followRef(follow);
  switch (progress.kind) {
    case "working":
      return { type: "nex.context.progressed", source: SOURCE, data: { ...ref, status: progress.status } };
    case "completed":
      return { type: "nex.context.completed", source: SOURCE, data: { ...ref, result: progress.result } };
    case "failed":
      return { type: "nex.context.failed", source: SOURCE, data: { ...ref, error: progress.message } };
    default:
      return progress satisfies never;
  }
}
