// One write from its claim to its result. A write that is not idempotent is put on the wire at most once.

import type { Failure } from "../contract/new-event.ts";
import type { Write } from "../contract/writes.ts";
import { createBackoff } from "../core/backoff.ts";
import { HttpError } from "../http/errors.ts";
import type { OperationAnswer } from "../services/operation.ts";
import { settleDoubt } from "./doubt.ts";
import { type Attempt, answerFailed, maybeSent, preparationFailed, sendingFailed } from "./outcome.ts";
import {
  assertAccount,
  type Checked,
  checkedRequest,
  type Prepared,
  Refusal,
  readStored,
} from "./prepare.ts";
import {
  type ExecutionOptions,
  failed,
  type GivenUp,
  noticed,
  type Outcome,
  priorityOf,
  type Run,
  reading,
  type Stop,
  succeeded,
} from "./run.ts";

/** How long a write is tried, from its claim on; after that, its last failure is its result. */
const DEADLINE_MS = 120_000;
const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 15_000;

/** `attempts`: the requests that were sent, or may have been. */
export type Result = (Outcome & { attempts: number }) | GivenUp;

/** @param isRecovery it was found `executing`: a request of it may have been sent by an earlier process */
export async function execute(
  write: Write,
  isRecovery: boolean,
  options: ExecutionOptions,
  stop: Stop,
): Promise<Result> {
  const run: Run = {
    ...{ write, options, stop },
    doubt: isRecovery ? (options.mayBegin ? LEFT_BEHIND : INTERRUPTED) : undefined,
    sent: isRecovery ? write.attempts : write.attempts - 1,
    counted: write.attempts,
    prepared: undefined,
  };
  const outcome = await attemptUntilKnown(run);
  return outcome.state === "executing" ? outcome : { ...outcome, attempts: run.sent };
}

async function attemptUntilKnown(run: Run): Promise<Outcome | GivenUp> {
  const { write, options, stop } = run;
  const { clock } = options;
  const deadline = clock.monotonic() + DEADLINE_MS;
  const backoff = createBackoff(options.random, FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS);
  // Both then and now, since a new version may have learnt better.
  const isIdempotent = write.idempotent && options.catalogue.get(write.operation)?.idempotent === true;

  for (;;) {
    if (run.doubt && !isIdempotent) return settleDoubt(run, run.doubt);
    const outcome = await attempt(run);
    switch (outcome.kind) {
      case "done":
        return succeeded(outcome.output, outcome.effects);
      case "refused":
        return run.doubt ? settleDoubt(run, run.doubt) : failed(outcome.error, outcome.effects);
      case "in_doubt":
        // Cut by our own shutdown: the next start finds out whether it arrived.
        if (stop.cut.aborted) return { state: "executing" };
        run.doubt ??= outcome.error;
        if (!isIdempotent || !outcome.canRetryHelp) return settleDoubt(run, run.doubt);
        break;
      case "not_sent":
      case "refused_for_now":
        break;
    }
    const given = outcome.kind === "refused_for_now" ? notTaken : neverSent;

    const waitMs = Math.max(backoff.next(), outcome.retryAfterMs);
    if (clock.monotonic() + waitMs > deadline)
      return run.doubt ? settleDoubt(run, run.doubt) : failed(given(outcome.error));
    const isAskedToWait = outcome.retryAfterMs > 0;
    await options.pauses.wait(write.service, waitMs, !isAskedToWait, stop.closing).catch(() => {});
    if (stop.closing.aborted)
      return isIdempotent ? { state: "executing" } : failed(given(outcome.error, STOPPED));
  }
}

async function attempt(run: Run): Promise<Attempt> {
  const { write, options, stop } = run;
  let prepared: Prepared;
  let checked: Checked;
  try {
    await assertApproved(run);
    // What only the service knows of the operation may have changed since it was shown.
    await reading(run, "its operation", () => options.catalogue.lookAgain?.(write.operation) ?? DONE);
    prepared = await readStored(write, options);
    run.prepared = prepared;
    checked = await reading(run, "its precondition", (read) =>
      checkedRequest(write, prepared, { policy: options.policy, read }),
    );
    if (checked.request && run.counted === run.sent) {
      await options.countAttempt(write.id);
      run.counted += 1;
    }
  } catch (error) {
    return noticed(run, error, error instanceof Refusal ? refused(error) : preparationFailed(error));
  }
  const { operation, input, facts } = prepared;
  let answer: OperationAnswer = NO_ANSWER;
  try {
    if (checked.request) {
      assertAccount(write, checked.request, options);
      run.sent += 1;
      answer = await options.sender.writeOnce(write.service, checked.request, stop.cut, {
        priority: priorityOf(write),
        ...(options.mayBegin && { mayBegin: options.mayBegin }),
      });
    }
  } catch (error) {
    if (error instanceof Refusal) return refused(error);
    if (!maybeSent(error)) run.sent -= 1;
    const failure = await readRefusal(run, prepared, error, sendingFailed(error, operation));
    return noticed(run, error, failure);
  }
  try {
    return {
      kind: "done",
      output: operation.output(answer, input, checked.read),
      effects: operation.effects?.(answer, input, facts) ?? [],
    };
  } catch (error) {
    return noticed(run, error, answerFailed(error, operation));
  }
}

/**
 * Checks that somebody decided it, and decided exactly this: a row in the table of writes is not an approval.
 * @throws Refusal, StoreError
 */
async function assertApproved({ write, options }: Run): Promise<void> {
  const why = await options.whyNotApproved(write);
  if (why === undefined) return;
  throw new Refusal(
    "not_approved",
    `Nothing was sent: ${why}. Something other than nexusd changed its database: see nexusctl audit verify.`,
  );
}

/** What a refusal means to the operation, which may have to ask the service first. */
async function readRefusal(
  run: Run,
  { operation, input, facts }: Prepared,
  error: unknown,
  failure: Attempt,
): Promise<Attempt> {
  const { refused, service } = operation;
  if (failure.kind !== "refused" || !refused || !(error instanceof HttpError)) return failure;
  const later: Attempt = {
    kind: "refused_for_now",
    error: failure.error,
    retryAfterMs: error.retryAfterMs ?? 0,
  };
  try {
    const meaning = await reading(run, "what the refusal means", (read) =>
      refused(error, input, facts, read, () => run.options.facts(service)),
    );
    switch (meaning?.kind) {
      case "done":
        return { kind: "done", output: meaning.output, effects: meaning.effects ?? [] };
      case "failed":
        return { kind: "refused", error: meaning.error, effects: meaning.effects ?? [] };
      case "retry":
        return later;
      case undefined:
        return failure;
    }
  } catch (unread) {
    return noticed(run, unread, later);
  }
}

const refused = ({ failure }: Refusal): Attempt => ({ kind: "refused", error: failure });

const STOPPED = "nexusd was stopped before it could be";

const INTERRUPTED: Failure = {
  code: "interrupted",
  message: "nexusd ended during its execution: whether the request arrived is unknown.",
};

/** In a fleet the node that executed it may still be alive. */
const LEFT_BEHIND: Failure = {
  code: "interrupted",
  message:
    "The node that executed it ended, or lost the right to, before the result was stored: whether the request arrived is unknown.",
};

const DONE = Promise.resolve();

const NO_ANSWER: OperationAnswer = { status: 204, headers: {}, body: undefined };

const notTaken = ({ code, message }: Failure, why = "it was not taken later on, either"): Failure => ({
  code,
  message: `Nothing was changed, ${why}: ${message}`,
});
const neverSent = ({ code, message }: Failure, why = "it could not be read in time"): Failure => ({
  code,
  message: `Nothing was sent, ${why}: ${message}`,
});
