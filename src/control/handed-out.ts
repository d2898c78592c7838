// How far events were handed out since the daemon started, so that nobody acknowledges what nobody has read: a number in
// a notice or in the status is not yet an event that somebody had in hand.

import { Problem } from "./problem.ts";

export interface HandedOut {
  /** A reader of the log was given events up to here: which consumer it acknowledges with, the log does not know. */
  toReader(sequence: number): void;
  /** The consumer was given everything that it wants up to here. */
  toConsumer(name: string, sequence: number): void;
  /** The consumer was placed anew or deleted. */
  forget(name: string): void;
  /**
   * Only of a consumer that has read since the start it is known how far it was given events. One whose reader reads
   * `/v1/events`, or has read before the start, acknowledges whatever the log has.
   * @throws Problem `ack_out_of_order`
   */
  check(name: string, sequence: number): void;
}

/** @param latest the end of the log at the start: what came before may have been handed out by an earlier run */
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
