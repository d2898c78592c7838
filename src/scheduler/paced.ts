// The loop of a paced job: in each lane, steps start at a constant pace with limited concurrency, and back off
// together. Lanes do not wait for each other: one failing lane degrades the job, and only if all fail has the job
// failed.

import type { Failure } from "../contract/new-event.ts";
import { type Backoff, createBackoff } from "../core/backoff.ts";
import { describeFailure, retryAfterOf } from "./failure.ts";
import type { JobContext, PacedJob } from "./job.ts";
import type { Life, Loop } from "./life.ts";
import type { Outcome } from "./supervise.ts";

/** The pace and the lanes are read at least this often, so that changes take effect during a wait. */
const REREAD_MS = 5000;
/** Timers are no finer than this: with a finer pace, starts that a timer delayed are done at once. */
const TIMER_MS = 20;
/** With nothing to do, looking for work needs no finer pace. */
const IDLE_MS = 100;
/** The lane of a job that names none. */
const ONLY = [""] as const;

interface Lane {
  name: string;
  /** The job's context, with a `degraded` for this lane. */
  context: JobContext;
  backoff: Backoff;
  underWay: number;
  /** Monotonic. A late start moves the next one only if it is very late: no drift, no burst. */
  previous: { planned: number; started: number } | undefined;
  holdUntil: number;
  /** Steps of one era started with no failure in between: together they back off once, not once each. */
  era: number;
  /** Of the last step, unless it succeeded. */
  failure: Failure | undefined;
  /** The faults that the steps reported with `degraded`. */
  degraded: Failure | undefined;
}

export function createPacedLoop(life: Life, job: PacedJob): Loop {
  const { clock, context, signal, supervision } = life;
  const lanes = new Map<string, Lane>();
  let underWay = 0;
  let onDrained = () => {};
  let places = 1;
  let pace = 0;

  const createLane = (name: string): Lane => {
    const lane: Lane = {
      name,
      context: {
        ...context,
        degraded(failure) {
          if (failure === lane.degraded) return;
          lane.degraded = failure;
          showDegraded();
        },
      },
      backoff: createBackoff(context.random),
      underWay: 0,
      previous: undefined,
      holdUntil: 0,
      era: 0,
      failure: undefined,
      degraded: undefined,
    };
    return lane;
  };

  const updateLanes = () => {
    const names = job.lanes?.(context) ?? ONLY;
    let isChanged = false;
    for (const name of names)
      if (!lanes.has(name)) {
        lanes.set(name, createLane(name));
        isChanged = true;
      }
    if (lanes.size > names.length)
      for (const name of lanes.keys())
        if (!names.includes(name)) {
          lanes.delete(name);
          isChanged = true;
        }
    if (isChanged) showDegraded();
  };

  const areAllFailing = () => lanes.values().every(({ failure }) => failure !== undefined);

  /** Names the first lane that is in trouble, failing lanes first. */
  const showDegraded = () => {
    const isFailing = areAllFailing();
    const failing = isFailing ? undefined : lanes.values().find(({ failure }) => failure);
    const lane = failing ?? lanes.values().find(({ degraded }) => degraded);
    const shown = failing?.failure ?? lane?.degraded;
    const where = lane && lanes.size > 1 ? `${lane.name}: ` : "";
    context.degraded(shown && { code: shown.code, message: `${where}${shown.message}` });
  };

  const succeed = (lane: Lane) => {
    const hadFailed = lane.failure !== undefined;
    lane.failure = undefined;
    lane.backoff.reset();
    supervision.succeeded();
    if (hadFailed) showDegraded();
  };

  const fail = (lane: Lane, error: unknown, isCurrent: boolean) => {
    const now = clock.monotonic();
    const waitMs = isCurrent ? lane.backoff.next() : Math.max(0, lane.holdUntil - now);
    const isNews = lane.failure === undefined;
    lane.failure = describeFailure(error);
    let retryInMs = Math.round(Math.max(waitMs, retryAfterOf(error)));
    if (areAllFailing()) retryInMs = supervision.failed(error, waitMs).retryInMs;
    else if (isNews) context.log.warn({ ...lane.failure, lane: lane.name, retryInMs }, "lane failed");
    if (lanes.size > 1) showDegraded();
    lane.holdUntil = Math.max(lane.holdUntil, now + retryInMs);
    if (isCurrent) lane.era += 1;
  };

  const start = (lane: Lane): void => {
    const { era } = lane;
    lane.underWay += 1;
    underWay += 1;
    // Not an async function: a step that starts the next one would keep it alive, and so the whole chain back from the
    // last.
    supervision
      .attempt(() => job.step(lane.context, lane.name), signal)
      .then((outcome) => end(lane, outcome, era === lane.era));
  };

  const end = (lane: Lane, outcome: Outcome, isCurrent: boolean): void => {
    if (outcome.kind === "failed") fail(lane, outcome.error, isCurrent);
    // An idle step proves nothing.
    else if (outcome.kind === "idle") lane.holdUntil = Math.max(lane.holdUntil, clock.monotonic() + IDLE_MS);
    else if (outcome.kind === "done") {
      if (isCurrent) succeed(lane);
      else supervision.progressed();
    }
    underWay -= 1;
    if (underWay === 0) onDrained();
    // The loop waits for a step to end only if it takes the last free slot, so only then must the step wake it.
    if (lane.underWay-- < places || signal.aborted || lanes.get(lane.name) !== lane) return;
    if (Number.isFinite(startDue(lane, clock.monotonic()))) life.wake();
  };

  /** Starts what is due; returns when the next step is due, on the monotonic clock. */
  const startDue = (lane: Lane, now: number): number => {
    for (;;) {
      if (lane.underWay >= places) return Number.POSITIVE_INFINITY;
      const planned = lane.previous === undefined ? now : nextStart(lane.previous, pace);
      const at = Math.max(planned, lane.holdUntil);
      if (at > now) return at;
      lane.previous = { planned, started: now };
      start(lane);
    }
  };

  const turn = async () => {
    updateLanes();
    places = readPlaces(job, context);
    pace = readPace(job, context);
    const now = clock.monotonic();
    let next = Number.POSITIVE_INFINITY;
    for (const lane of lanes.values()) next = Math.min(next, startDue(lane, now));
    supervision.planned(Number.isFinite(next) ? next - now : undefined);
    await life.nap(Math.min(next - now, REREAD_MS));
  };

  return {
    async run() {
      while (!signal.aborted) {
        try {
          await turn();
        } catch (error) {
          // Only reading the pace, the concurrency and the lanes can throw here; that is the job's own code.
          await life.nap(supervision.failed(error).retryInMs);
        }
      }
      supervision.planned(undefined);
      if (underWay > 0) await new Promise<void>((resolve) => (onDrained = resolve));
    },
  };
}

function nextStart(previous: { planned: number; started: number }, pace: number): number {
  const late = previous.started - previous.planned;
  return (late <= Math.max(pace / 2, TIMER_MS) ? previous.planned : previous.started) + pace;
}

/** @throws TypeError if the job returns no number */
function readPace(job: PacedJob, context: JobContext): number {
  const pace = job.paceMs(context);
  if (typeof pace !== "number" || Number.isNaN(pace)) throw new TypeError("paceMs did not return a number");
  // A pace of 0 would starve the event loop.
  return Math.max(0.05, pace);
}

/** @throws TypeError if the job returns no number */
function readPlaces(job: PacedJob, context: JobContext): number {
  const asked = job.concurrency ?? 1;
  const count = typeof asked === "function" ? asked(context) : asked;
  if (typeof count !== "number" || !(count >= 1)) throw new TypeError("concurrency did not return a number");
  return Math.floor(count);
}
