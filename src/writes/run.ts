// A write in progress: what its attempts share, how they read, and its possible ends.

import type { Failure, Service } from "../contract/new-event.ts";
import type { Write, WriteResult } from "../contract/writes.ts";
import type { Clock } from "../core/clock.ts";
import type { SteadyClock } from "../core/steady-clock.ts";
import { startDeadline } from "../http/deadline.ts";
import { HttpError } from "../http/errors.ts";
import { serviceNamed } from "../services/list.ts";
import type { Effect, OperationSender, ReadCall } from "../services/operation.ts";
import { isDefect } from "./outcome.ts";
import type { Pauses } from "./pauses.ts";
import { type Prepared, type PrepareOptions, Refusal } from "./prepare.ts";

export interface Outcome {
  state: "succeeded" | "failed" | "unknown";
  result: WriteResult;
  /** What nexusd stores of it, to be committed with it. */
  effects: readonly Effect[];
}

/** Aborted by the shutdown with a request possibly in progress: the next start decides. */
export interface GivenUp {
  state: "executing";
}

export interface ExecutionOptions extends PrepareOptions {
  sender: OperationSender;
  clock: Clock;
  steady: Pick<SteadyClock, "ageOf">;
  random: () => number;
  pauses: Pick<Pauses, "wait">;
  /** Called before a request that repeats an earlier one is sent; it must be on disk when this resolves. */
  countAttempt: (id: string) => Promise<void>;
  /** Like the store's: undefined if the audit log has the approval of exactly this write. */
  whyNotApproved: (write: Write) => Promise<string | undefined>;
  /** Asked right before the first byte: false if another node of a fleet may execute writes; left out: there is none. */
  mayBegin?: () => boolean;
  /** An error that nobody expected, for the log. */
  onDefect: (write: Write, error: unknown) => void;
}

export interface Stop {
  /** Nothing new is started. */
  closing: AbortSignal;
  /** Running work is cut. */
  cut: AbortSignal;
}

/** A write in progress, and what its attempts share. */
export interface Run {
  write: Write;
  options: ExecutionOptions;
  stop: Stop;
  /** The failure of the first request that may have arrived: from then on only a success is certain. */
  doubt: Failure | undefined;
  /** Requests that were sent, or may have been. */
  sent: number;
  /** As in the store, one ahead if a request is about to be sent: the claim counts the first one. */
  counted: number;
  /** What the last attempt was made of: where its effect is looked for, that begins before it was sent. */
  prepared: Prepared | undefined;
}

/** Runs a read, with its own deadline. */
export async function reading<T>(
  { write, options, stop }: Run,
  label: string,
  work: (read: ReadCall) => Promise<T>,
): Promise<T> {
  const { service } = write;
  const deadline = startDeadline({
    clock: options.clock,
    timeoutMs: serviceNamed(service).lookWithinMs,
    signal: stop.cut,
    failure: (kind) => readFailure(kind, service, label),
  });
  try {
    return await deadline.race(
      work((request) =>
        options.sender.read(service, request, deadline.signal, { priority: priorityOf(write) }),
      ),
    );
  } finally {
    deadline.end();
  }
}

/** A write approved by a person counts as the person's, one approved by the policy as the agent's. */
export const priorityOf = ({ approval }: Pick<Write, "approval">) =>
  approval === "auto" ? "agent_writes" : "people";

export const noticed = <T>({ write, options }: Run, error: unknown, outcome: T): T => {
  if (isDefect(error) && !(error instanceof Refusal)) options.onDefect(write, error);
  return outcome;
};

const readFailure = (kind: "timeout" | "aborted", service: Service, label: string): HttpError =>
  new HttpError({
    ...{ kind, service, label, code: kind },
    message: `${service}: ${label} was not read${kind === "timeout" ? ` within ${serviceNamed(service).lookWithinMs / 1000} s` : ""}`,
    retryable: kind === "timeout",
    maybeSent: true,
  });

export const succeeded = (output: unknown, effects: readonly Effect[] = []): Outcome => ({
  state: "succeeded",
  result: { output: output ?? null },
  effects,
});
export const failed = (error: Failure, effects: readonly Effect[] = []): Outcome => ({
  state: "failed",
  result: { error },
  effects,
});
