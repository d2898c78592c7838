// The precondition of a write, read from its service when it is proposed.

import type { Actor } from "../contract/actor.ts";
import type { Clock } from "../core/clock.ts";
import { startDeadline } from "../http/deadline.ts";
import { HttpError } from "../http/errors.ts";
import type { Facts, Operation, OperationRequest, OperationSender } from "../services/operation.ts";

const PRECONDITION_WITHIN_MS = 20_000;

/** @returns what reads the precondition of an operation, if it has one, under a deadline */
export const createReadPrecondition =
  ({ sender, clock }: { sender: Pick<OperationSender, "read">; clock: Clock }) =>
  async (operation: Operation, input: unknown, known: Facts, actor: Actor): Promise<unknown> => {
    if (!operation.precondition) return undefined;
    const label = `the precondition of ${operation.name}`;
    const deadline = startDeadline({
      clock,
      timeoutMs: PRECONDITION_WITHIN_MS,
      signal: undefined,
      failure: (kind) =>
        new HttpError({
          ...{ kind, service: operation.service, label, code: kind },
          message: `${operation.service}: ${label} was not read within ${PRECONDITION_WITHIN_MS / 1000} s`,
          retryable: true,
          maybeSent: true,
        }),
    });
    try {
      const priority = actor.via === "operator.sock" ? "people" : "agent_reads";
      const read = (request: OperationRequest) =>
        sender.read(operation.service, request, deadline.signal, { priority });
      return await deadline.race(operation.precondition(input, known, read));
    } finally {
      deadline.end();
    }
  };
