// Observations: events, the cursor that covers them and what is stored with them, in one transaction.

import type { StoredEvent } from "../../contract/new-event.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import type { PreparedObservation } from "../prepared.ts";
import type { EventLog } from "./events.ts";
import type { createState } from "./state.ts";

/** @returns a function that stores an observation inside a transaction, and returns its new events */
export const createObserve =
  ({
    log,
    state,
    clock,
  }: {
    log: EventLog;
    state: ReturnType<typeof createState>;
    clock: Pick<Clock, "now">;
  }) =>
  (unit: PreparedObservation): StoredEvent[] => {
    const now = clock.now();
    const updatedAt = isoTime(now);
    for (const keys of unit.known) log.remember(keys, now);
    const stored = unit.events.flatMap((event) => log.append(event, now) ?? []);
    if (unit.cursor !== undefined) state.putCursor(unit.source, unit.cursor, updatedAt);
    for (const { kind, key } of unit.remove) state.removeRecord(kind, key);
    for (const { kind, key, value } of unit.put) state.putRecord(kind, key, value, updatedAt);
    for (const { name, value } of unit.secrets) state.putSecret(name, value);
    return stored;
  };
