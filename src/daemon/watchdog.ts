// What systemd learns while nexusd runs: a status line in words, and a ping for each proof that everything makes
// progress.

import { request } from "node:http";
import type { Logger } from "pino";
import type { Store } from "../contract/store.ts";
import type { Clock } from "../core/clock.ts";
import { within } from "../core/within.ts";
import type { JobPulse } from "../scheduler/job.ts";
import type { Notifier } from "../systemd/notify.ts";

const STATUS_EVERY_MS = 5000;
/** How long a proof may take before it counts as missing. */
const PROOF_WITHIN_MS = 10_000;
const BOUND_INTERVALS = 3;
/** A job with a short interval may still wait for an answer of its service: this many watchdog periods. */
const BOUND_PERIODS = 3;

export interface WatchdogOptions {
  notifier: Notifier;
  store: Pick<Store, "probe" | "countWrites">;
  pulses: () => JobPulse[];
  /** What each enabled service says of itself, in a few words. */
  lines: () => string[];
  /** The path of a control socket: the daemon probes itself there. */
  socket: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

/** Runs until the signal; the ping is withheld while anything is stalled, and the log says what. */
export async function runWatchdog(options: WatchdogOptions): Promise<void> {
  const { notifier, clock, log, signal } = options;
  const everyMs = Math.min(STATUS_EVERY_MS, (notifier.watchdogMs ?? Number.POSITIVE_INFINITY) / 3);
  let pingedAt = clock.monotonic();
  let stuckBefore = "";
  try {
    for (;;) {
      await clock.sleep(everyMs, signal);
      await notifier.status(await statusLine(options));
      if (notifier.watchdogMs === undefined || clock.monotonic() - pingedAt < notifier.watchdogMs / 4)
        continue;
      const stuck = await findStuck(options);
      if (stuck.length === 0) {
        await notifier.ping();
        pingedAt = clock.monotonic();
      } else if (stuck.join() !== stuckBefore)
        log.error({ stuck }, "stalled: watchdog pings withheld, systemd will restart nexusd");
      stuckBefore = stuck.join();
    }
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "systemd status updates ended");
  }
}

/** What is stalled, in words; that this runs at all proves that the event loop turns. */
export async function findStuck(options: WatchdogOptions): Promise<string[]> {
  const { notifier, store, socket, pulses, clock } = options;
  const [commits, answers] = await Promise.all([
    inTime(clock, store.probe()),
    inTime(clock, askSelf(socket)),
  ]);
  return [
    ...(commits ? [] : ["the database accepts no commits"]),
    ...(answers ? [] : ["the control socket does not answer"]),
    ...pulses()
      .filter((pulse) => isStuck(pulse, BOUND_PERIODS * (notifier.watchdogMs ?? 0)))
      .map(({ name }) => `the job ${name} makes no progress`),
  ];
}

/**
 * Whether a job is past its own bound: running without an end or a sign of progress, or due and not begun. A job that
 * fails and tries again makes progress. All by the monotonic clock: an hour of sleep stalls nothing.
 * @param shortestBoundMs the bound of a job whose interval is shorter
 */
export function isStuck(pulse: JobPulse, shortestBoundMs: number): boolean {
  const { state, intervalMs, runningForMs, quietForMs, overdueForMs } = pulse;
  if (state === "disabled" || state === "paused" || state === "invalid") return false;
  const boundMs = Math.max(shortestBoundMs, BOUND_INTERVALS * (intervalMs ?? 0));
  if (runningForMs !== null) return Math.min(runningForMs, quietForMs ?? runningForMs) > boundMs;
  return overdueForMs !== null && overdueForMs > boundMs;
}

const inTime = (clock: Clock, proof: Promise<unknown>): Promise<boolean> =>
  within(clock, PROOF_WITHIN_MS, proof).then(
    (proven) => proven !== undefined,
    () => false,
  );

const askSelf = (socketPath: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: "/v1/health", headers: { host: "nexusd" } }, (response) => {
      response.resume();
      // 429: agents use up every limit there. It answers, and a restart would not change that.
      if (response.statusCode === 200 || response.statusCode === 429) response.once("end", resolve);
      else reject(new Error(`the control socket answered ${response.statusCode}`));
    });
    asked.setTimeout(PROOF_WITHIN_MS, () => asked.destroy(new Error("no answer")));
    // A socket whose file is gone says nothing about nexusd: it is handled elsewhere, and a restart would not bring it
    // back.
    asked.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "ENOENT" ? resolve() : reject(error),
    );
    asked.end();
  });

/** "polling 12 sessions, Nex live, Nexus ok, 2 writes wait for approval" */
export async function statusLine({
  lines,
  store,
}: Pick<WatchdogOptions, "lines" | "store">): Promise<string> {
  const waiting = await store.countWrites().then(
    ({ proposed }) => proposed,
    () => 0,
  );
  const parts = [
    ...lines(),
    ...(waiting === 0 ? [] : [`${waiting} ${waiting === 1 ? "write waits" : "writes wait"} for approval`]),
  ];
  return parts.length === 0 ? "running; every service is disabled" : parts.join(", ");
}
