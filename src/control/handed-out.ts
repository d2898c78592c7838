// How far events were delivered since the daemon started, so that no consumer acknowledges events that were never read:
// a number in a notice or in the status is not yet a delivered event.

import { Problem } from "./problem.ts";

export interface HandedOut {
  /** A reader of the log got events up to here; the log does not know which consumer it acknowledges with. */
  toReader(sequence: number): void;
  /** The consumer got everything it wants up to here. */
  toConsumer(name: string, sequence: number): void;
  /** The consumer was reset or deleted. */
  forget(name: string): void;
  /**
   * How far events were delivered is known only for a consumer that has read since the start. If its reader uses
   * `/v1/events`, or has read before the start, it may acknowledge anything in the log.
   * @throws Problem `ack_out_of_order`
   */
  check(name: string, sequence: number): void;
}

/** @param latest the end of the log at the start: earlier events may have been delivered by an earlier run */
export function createHandedOut(latest: number): HandedOut {
  let toReaders = latest;
  const toConsumers = new Map<string, number>();

  return {
    toReader(sequence) {
      toReaders = Math.max(toReaders, sequence);
    },
    toConsumer(name, sequence) {
      toConsumers.set(name, Math.max(toConsumers.get(name) ?? 0, sequence));
    },
    forget(name) {
      toConsumers.delete(name);
    },
    check(name, sequence) {
      const given = toConsumers.get(name);
      if (given === undefined || sequence <= Math.max(given, toReaders)) return;
      throw new Problem(
        "ack_out_of_order",
        `The consumer "${name}" was given events up to ${given}, so ${sequence} was never served: read on before you acknowledge it. To skip events, reset the consumer with PUT /v1/consumers/${name}.`,
      );
    },
  };
}
