// A write that may have been sent, but was never answered: what can still be found out about it.

import type { Failure } from "../contract/new-event.ts";
import { createServerTime } from "../http/server-time.ts";
import type { Effect, Finding, Operation, ReadCall } from "../services/operation.ts";
import { readStored } from "./prepare.ts";
import { type GivenUp, noticed, type Outcome, type Run, reading, succeeded } from "./run.ts";

/** What is finally known of a write that may have been sent. */
export async function settleDoubt(run: Run, why: Failure): Promise<Outcome | GivenUp> {
  const { write, options, stop } = run;
  const operation = options.catalogue.get(write.operation);
  const { readBack } = operation ?? {};
  if (readBack) {
    try {
      const { input, facts } = run.prepared ?? (await readStored(write, options));
      const finding = await reading(run, "what became of it", (read) =>
        lookBy(run, read, (noting, startedAt) => readBack(input, facts, noting, startedAt)),
      );
      if (finding.kind === "done") return succeeded(finding.output, finding.effects);
    } catch (error) {
      // Whatever prevented the read, the write stays in doubt.
      noticed(run, error, undefined);
    }
    // Cut by our own shutdown: the next start reads it.
    if (stop.cut.aborted) return { state: "executing" };
  }
  return {
    state: "unknown",
    result: { error: why, remedy: operation?.howToFindOut ?? HOW_TO_FIND_OUT },
    effects: await effectsInDoubt(run, operation),
  };
}

/**
 * Looks for what was created since the write began, by the service's clock if its answers show that this is later than
 * by ours: with a clock that was or is behind, something that existed before would look like its effect.
 */
async function lookBy<E>(
  { write, options }: Run,
  read: ReadCall,
  look: (read: ReadCall, startedAt: number) => Promise<Finding<E>>,
): Promise<Finding<E>> {
  const { clock, steady } = options;
  const time = createServerTime(clock);
  const noting: ReadCall = async (request) => {
    const answer = await read(request);
    time.observe(answer.headers);
    return answer;
  };
  const startedAt = Date.parse(write.executingAt ?? write.proposedAt);
  const finding = await look(noting, startedAt);
  if (finding.kind !== "done" || !time.isKnown()) return finding;
  const byTheirs = time.now() - steady.ageOf(startedAt);
  return byTheirs > startedAt ? look(noting, byTheirs) : finding;
}

async function effectsInDoubt(run: Run, operation: Operation | undefined): Promise<Effect[]> {
  if (!operation?.effectsInDoubt) return [];
  try {
    const { input, facts } = run.prepared ?? (await readStored(run.write, run.options));
    return operation.effectsInDoubt(input, facts);
  } catch (error) {
    return noticed(run, error, []);
  }
}

export const HOW_TO_FIND_OUT =
  "Look at the service for its effect, then say what you found: nexusctl writes resolve ID --outcome …";
