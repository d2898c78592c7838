// The loop of a paced job: steps start at a constant pace on a bounded number of places, and back off together.

import type { PacedJob } from "./define-job.ts";
import type { Life, Loop } from "./life.ts";

/** The pace is read anew at least so often, so that a pace that shrinks while we wait takes effect. */
const REREAD_MS = 5000;

export function createPacedLoop(life: Life, job: PacedJob): Loop {
  const { clock, context, signal, supervision } = life;
  const places = job.concurrency ?? 1;
  const underWay = new Set<Promise<void>>();

  // Monotonic times. A start that is late moves the next one only when it is late by much: no drift, no burst.
  let previous: { planned: number; started: number } | undefined;
  let holdUntil = 0;
  // Steps of one era started without a failure between them: together they back off once, not once each.
  let era = 0;

  const step = async () => {
    const startedIn = era;
    let isIdle = false;
    const outcome = await supervision.attempt(async () => {
      isIdle = (await job.step(context)) === "idle";
    }, signal);
    const isCurrent = startedIn === era;
    if (outcome.kind === "done") {
      // Having had nothing to do proves nothing.
      if (isIdle) return;
      if (isCurrent) supervision.succeeded();
      else supervision.progressed();
    } else if (outcome.kind === "failed") {
      const now = clock.monotonic();
      const wait = supervision.failed(outcome.error, isCurrent ? undefined : Math.max(0, holdUntil - now));
      holdUntil = Math.max(holdUntil, now + wait.retryInMs);
      if (isCurrent) era += 1;
    }
  };
  const start = () => {
    const running = step().finally(() => {
      underWay.delete(running);
      life.wake();
    });
    underWay.add(running);
  };

  const turn = async () => {
    if (underWay.size >= places) return life.nap(REREAD_MS);
    const pace = readPace(job, context);
    const now = clock.monotonic();
    const planned = previous === undefined ? now : nextStart(previous, pace);
    const wait = Math.max(planned, holdUntil) - now;
    supervision.health.nextRunAt = Number.isFinite(wait) ? clock.now() + Math.max(0, wait) : null;
    if (wait > 0) return life.nap(Math.min(wait, REREAD_MS));
    previous = { planned, started: now };
    start();
  };

  return {
    async run() {
      while (!signal.aborted) {
        try {
          await turn();
        } catch (error) {
          // Only reading the pace can throw here; it is the job's own code.
          await life.nap(supervision.failed(error).retryInMs);
        }
      }
      supervision.health.nextRunAt = null;
      await Promise.all(underWay);
    },
  };
}

function nextStart(previous: { planned: number; started: number }, pace: number): number {
  const late = previous.started - previous.planned;
  return (late <= pace / 2 ? previous.planned : previous.started) + pace;
}

/** @throws TypeError when the job gives no number */
function readPace(job: PacedJob, context: Life["context"]): number {
  const pace = job.paceMs(context);
  if (typeof pace !== "number" || Number.isNaN(pace)) throw new TypeError("paceMs did not give a number");
  // A pace of nothing would leave the event loop no time for anything else.
  return Math.max(1, pace);
}
