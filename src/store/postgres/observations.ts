// Observations: events, the cursor that covers them and the related records, in one transaction.

import type { StoredEvent } from "../../contract/new-event.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import type { PreparedObservation } from "../prepared.ts";
import type { SecretStore } from "./secrets.ts";
import type { Transaction } from "./transaction.ts";

/** @returns a function that stores an observation inside a transaction, and returns its new events */
export const createObserve =
  (clock: Pick<Clock, "now">, secrets: Pick<SecretStore, "put">) =>
  async (transaction: Transaction, unit: PreparedObservation): Promise<StoredEvent[]> => {
    const now = clock.now();
    const at = isoTime(now);
    for (const keys of unit.known) transaction.remember(keys, now);
    const stored = unit.events.flatMap((event) => transaction.append(event, now) ?? []);
    if (unit.cursor !== undefined) transaction.putCursor(unit.source, unit.cursor, at);
    for (const { kind, key } of unit.remove) transaction.putRecord(kind, key, null);
    for (const { kind, key, value } of unit.put) transaction.putRecord(kind, key, { value, at });
    for (const { name, value } of unit.secrets) await secrets.put(transaction, name, value);
    return stored;
  };
