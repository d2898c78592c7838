// Runs the reads of people and agents: each with a deadline, aborted when its caller disconnects.

import type { Limits } from "../contract/limits.ts";
import type { Service } from "../contract/new-event.ts";
import { type Reads, WriteError } from "../contract/writes.ts";
import type { Clock } from "../core/clock.ts";
import { startDeadline } from "../http/deadline.ts";
import { HttpError } from "../http/errors.ts";
import { serviceNamed } from "../services/list.ts";
import type { OperationSender, ReadFacts, SentFor } from "../services/operation.ts";
import { findOperation, type OperationCatalogue, validInput } from "./input.ts";

export function createReads(options: {
  catalogue: OperationCatalogue;
  sender: Pick<OperationSender, "read">;
  facts: ReadFacts;
  clock: Clock;
  limits: () => Pick<Limits, "problem_errors">;
}): Reads {
  const { catalogue, sender, facts, clock, limits } = options;

  return {
    async run(name, input, caller, priority) {
      await catalogue.refresh(name);
      const operation = findOperation(catalogue, name);
      if (operation.effect !== "read")
        throw new WriteError("not_a_read", `${name} is a write: propose it with POST /v1/writes.`);
      const { service } = operation;
      const timeoutMs = serviceNamed(service).readWithinMs;
      const valid = validInput(operation, input, limits().problem_errors);
      const startedAt = clock.monotonic();
      let label = name;
      let waitedMs = 0;
      const sentFor: SentFor = {
        priority,
        onWaited: (ms) => {
          waitedMs += ms;
        },
      };
      const deadline = startDeadline({
        clock,
        timeoutMs,
        signal: caller,
        failure: (kind) => gaveUp(kind, service, label, timeoutMs),
      });
      const { signal } = deadline;
      try {
        const known = await deadline.race(facts(service));
        const full = operation.normalize?.(valid, known) ?? valid;
        const request = operation.request?.(full, known);
        if (!request) throw new Error(`${name} is a read without a request`);
        ({ label } = request);
        const answer = await deadline.race(sender.read(service, request, signal, sentFor));
        const output = operation.output(answer, full);
        const durationMs = Math.round(clock.monotonic() - startedAt - waitedMs);
        return { output, service, durationMs, waitedMs: Math.round(waitedMs) };
      } finally {
        deadline.end();
      }
    },
  };
}

const gaveUp = (kind: "timeout" | "aborted", service: Service, label: string, timeoutMs: number): HttpError =>
  new HttpError({
    kind,
    service,
    label,
    message:
      kind === "timeout"
        ? `${service}: ${label} was not answered within ${timeoutMs / 1000} s`
        : `${service}: ${label} was aborted by its caller`,
    code: kind,
    retryable: kind === "timeout",
    maybeSent: true,
  });
