// The loop of a stream job: keeps one run active, and restarts it after a backoff when it ends.

import type { StreamJob } from "./job.ts";
import type { Life, Loop } from "./life.ts";
import { HEALTHY_MS } from "./supervise.ts";

export function createStreamLoop(life: Life, job: StreamJob): Loop {
  const { clock, context, signal, supervision } = life;

  const holdOpen = async () => {
    const ended = new AbortController();
    clock.sleep(HEALTHY_MS, AbortSignal.any([signal, ended.signal])).then(
      () => supervision.resetBackoff(),
      () => {},
    );
    const outcome = await supervision.attempt(() => job.run(context), signal);
    ended.abort();
    return outcome;
  };

  return {
    async run() {
      while (!signal.aborted) {
        // Faults that the previous run reported do not apply to a new one.
        supervision.degraded(undefined);
        const outcome = await holdOpen();
        if (outcome.kind === "aborted") break;
        const delay =
          outcome.kind === "failed" ? supervision.failed(outcome.error).retryInMs : supervision.nextDelayMs();
        await waitOut(life, delay);
      }
      supervision.planned(undefined);
    },
  };
}

async function waitOut(life: Life, delayMs: number): Promise<void> {
  life.supervision.planned(delayMs);
  await life.nap(delayMs);
  life.supervision.planned(undefined);
}
