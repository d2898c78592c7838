// Commits for jobs whose failure only goes to the log: a full disk must not stop a job.

import type { Logger } from "pino";
import type { Observation, Store } from "../contract/store.ts";
import { describeFailure } from "./failure.ts";

export interface Reports {
  /** @returns whether the observation was committed; never rejects */
  commit(observation: Observation): Promise<boolean>;
  /** Resolves when the commits that are now in progress have ended. */
  settled(): Promise<void>;
  /** Resolves when no commit is in progress. */
  drain(): Promise<void>;
}

export function createReports(store: Store, log: Logger): Reports {
  const pending = new Set<Promise<boolean>>();
  let failing: string | undefined;

  const tryCommit = async (observation: Observation) => {
    try {
      await store.commitObservation(observation);
      failing = undefined;
      return true;
    } catch (error) {
      const failure = describeFailure(error);
      // Another node runs the job now, and reports what it sees.
      if (failure.code === "fenced") return false;
      // A full disk affects every run of every job: one log line is enough.
      log[failing === failure.code ? "debug" : "warn"](
        { ...failure, source: observation.source },
        "reports of jobs cannot be stored",
      );
      failing = failure.code;
      return false;
    }
  };

  return {
    commit(observation) {
      const commit = tryCommit(observation).finally(() => pending.delete(commit));
      pending.add(commit);
      return commit;
    },
    async settled() {
      await Promise.all(pending);
    },
    async drain() {
      while (pending.size > 0) await Promise.all(pending);
    },
  };
}
