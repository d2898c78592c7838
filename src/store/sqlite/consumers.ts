// The consumers of the log, as the store's port declares them: created, read, moved, deleted, with what each has
// pending.

import type { Store } from "../../contract/store.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import { createListeners } from "../listeners.ts";
import type { ReadUnit, WriteUnit } from "../units.ts";
import type { EventLog } from "./events.ts";
import { type createPending, PENDING_COUNTED } from "./pending.ts";
import type { createState } from "./state.ts";

type ConsumerStore = Pick<
  Store,
  | "putConsumer"
  | "setConsumerTypes"
  | "readConsumer"
  | "readConsumers"
  | "ackConsumer"
  | "deleteConsumer"
  | "pending"
  | "onAcknowledge"
>;

export function createConsumerStore(parts: {
  state: ReturnType<typeof createState>;
  log: Pick<EventLog, "oldest" | "latest">;
  countPending: ReturnType<typeof createPending>;
  read: ReadUnit;
  write: WriteUnit;
  clock: Pick<Clock, "now">;
}): ConsumerStore & { clear(): void } {
  const { state, log, countPending, read, write, clock } = parts;
  const movements = createListeners<[consumer: string, sequence: number]>();
  const now = () => isoTime(clock.now());

  return {
    putConsumer: (name, from, types, most = Number.POSITIVE_INFINITY, placing = {}) =>
      write(
        () => {
          const { proof, bindTo, isNew } = placing;
          const isThere = state.readConsumer(name) !== undefined;
          if (isThere && isNew) return "exists";
          if (!state.mayUse(name, proof)) return "bound";
          if (!isThere && state.countConsumers() >= most) return undefined;
          const position = from === "oldest" ? log.oldest() - 1 : from === "latest" ? log.latest() : from;
          return state.putConsumer(name, position, types, now(), bindTo);
        },
        (placed) => {
          if (typeof placed === "object") movements.notify(name, placed.position);
        },
      ),
    setConsumerTypes: (name, types) => write(() => state.setConsumerTypes(name, types, now())),
    readConsumer: (name) => read(() => state.readConsumer(name)),
    readConsumers: (page) => read(() => state.readConsumers(page)),
    ackConsumer: async (name, sequence, { proof } = {}) => {
      const acknowledged = await write(
        () => (state.mayUse(name, proof) ? state.ackConsumer(name, sequence, now()) : undefined),
        (moved) => {
          if (moved?.isMoved) movements.notify(name, sequence);
        },
      );
      return acknowledged === undefined ? "bound" : acknowledged.consumer;
    },
    deleteConsumer: (name, { proof } = {}) =>
      write(
        () => (state.mayUse(name, proof) ? state.deleteConsumer(name) : "bound"),
        (isDeleted) => {
          if (isDeleted === true) movements.notify(name, 0);
        },
      ),
    pending: (name, most = PENDING_COUNTED) =>
      read(() => {
        const consumer = state.readConsumer(name);
        return consumer && countPending(consumer, most);
      }),
    onAcknowledge: movements.add,
    clear: movements.clear,
  };
}
