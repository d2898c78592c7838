// Following one write until it is decided and executed, across restarts of the daemon.

import type { ShownWrite } from "../contract/api/writes.ts";
import { isFinal } from "../contract/writes.ts";
import type { Clock } from "../core/clock.ts";
import { parsedExactly } from "./client.ts";
import type { CliContext } from "./context.ts";
import { Failed, NoDaemon, waiting } from "./problem.ts";
import type { Role } from "./sockets.ts";

/** For a decision, which takes as long as it takes. */
const DECISION_MS = 30_000;
/**
 * For an execution, which goes through several states within milliseconds: a request that comes when the last of them
 * is reached waits in vain for the next.
 */
const EXECUTION_MS = 1000;
const AGAIN_AFTER_MS = 1000;
// An answer that comes at once and says nothing new is that of a daemon that is about to stop.
const AT_ONCE_MS = 500;

export interface Settled {
  write: ShownWrite;
  /** As the daemon sent it. */
  json: string;
}

/**
 * Resolves when nothing more happens to the write by itself, or `waitMs` have passed (undefined: no limit).
 * @throws Failed when the daemon refuses; the signal's reason
 */
export async function settle(
  { client, io: { signal } }: CliContext,
  id: string,
  options: {
    role: Role;
    waitMs: number | undefined;
    clock: Clock;
    onProgress(write: ShownWrite): void;
    onNote(text: string): void;
  },
): Promise<Settled> {
  const { clock, onNote, onProgress } = options;
  const deadline = clock.monotonic() + (options.waitMs ?? Number.POSITIVE_INFINITY);
  let last: Settled | undefined;
  let isAway = false;
  for (;;) {
    const startedAt = clock.monotonic();
    const left = Math.max(0, deadline - startedAt);
    const longest = last?.write.state === "proposed" ? DECISION_MS : EXECUTION_MS;
    const wait = last && !isAway ? Math.ceil(Math.min(longest, left)) : 0;
    try {
      const path = `/v1/writes/${encodeURIComponent(id)}${wait > 0 ? `?wait=${wait}ms` : ""}`;
      const answer = await client.call("GET", path, { role: options.role, signal, timeoutMs: wait + 15_000 });
      const write = parsedExactly<ShownWrite>(answer);
      if (isAway) onNote("connected again");
      isAway = false;
      const isNews = write.state !== last?.write.state;
      if (isNews) onProgress(write);
      last = { write, json: answer.text.trim() };
      if (isFinal(write) || clock.monotonic() >= deadline) return last;
      if (wait === 0 || isNews || clock.monotonic() - startedAt > AT_ONCE_MS) continue;
    } catch (error) {
      if (signal.aborted || !isPassing(error) || clock.monotonic() >= deadline) throw error;
      if (!isAway) onNote(waiting(error));
      isAway = true;
    }
    await clock.sleep(AGAIN_AFTER_MS, signal);
  }
}

/** Whether the daemon may answer the same question a little later. */
const isPassing = (error: unknown): error is Failed =>
  error instanceof NoDaemon ||
  (error instanceof Failed &&
    (["connection_failed", "timeout"].includes(error.problem.code) || (error.problem.status ?? 0) >= 500));
