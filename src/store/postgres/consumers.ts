// Consumers, as the store's port defines them: created, read, moved, deleted, and what each has pending.

import type { Consumer, Store } from "../../contract/store.ts";
import { type Clock, isoTime } from "../../core/clock.ts";
import { stringifyJson } from "../../core/exact-json.ts";
import { createListeners } from "../listeners.ts";
import type { Connection } from "./connection.ts";
import { countPending } from "./log.ts";
import { type ConsumerRow, toConsumer } from "./state.ts";
import type { Transaction } from "./transaction.ts";
import type { ReadUnit, WriteUnit } from "./units.ts";

const PENDING_COUNTED = 1000;

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

const ONE = "SELECT * FROM consumers WHERE name = $1";

const find = async (
  on: Pick<Connection, "query"> | Transaction,
  name: string,
): Promise<Consumer | undefined> => {
  const [row] = await on.query<ConsumerRow>(ONE, [name]);
  return row && toConsumer(row);
};

const orNothing = (row: ConsumerRow | undefined) => row && toConsumer(row);

/** Whether the presented proof allows a change of the consumer; without `proof` the caller needs none. */
const mayUse = async (
  transaction: Transaction,
  name: string,
  proof: string | undefined,
): Promise<boolean> => {
  if (proof === undefined) return true;
  const bound = (await transaction.one<ConsumerRow>(ONE, [name]))?.token_hash ?? null;
  return bound === null || bound === proof;
};

export function createConsumerStore(parts: {
  read: ReadUnit;
  write: WriteUnit;
  clock: Pick<Clock, "now">;
  /** Called after each movement that was committed here. */
  onMoved(consumer: string, position: number): void;
}): ConsumerStore & { clear(): void; heard(consumer: string, position: number): void } {
  const { read, write, clock, onMoved } = parts;
  const movements = createListeners<[consumer: string, sequence: number]>();
  const moved = (consumer: string, position: number) => {
    movements.notify(consumer, position);
    onMoved(consumer, position);
  };
  const now = () => isoTime(clock.now());

  return {
    putConsumer: (name, from, types, most = Number.POSITIVE_INFINITY, placing = {}) =>
      write(
        async (transaction) => {
          const { proof, bindTo, isNew } = placing;
          const isThere = (await find(transaction, name)) !== undefined;
          if (isThere && isNew) return "exists";
          if (!(await mayUse(transaction, name, proof))) return "bound";
          const count = await transaction.one<{ count: number }>("SELECT count(*) FROM consumers");
          if (!isThere && (count?.count ?? 0) >= most) return undefined;
          const { oldest, latest } = transaction.head;
          const position = from === "oldest" ? oldest - 1 : from === "latest" ? latest : from;
          // The binding of an existing consumer stays as it is.
          const row = await transaction.one<ConsumerRow>(
            `INSERT INTO consumers (name, position, types, created_at, updated_at, token_hash)
             VALUES ($1, $2, $3, $4, $4, $5) ON CONFLICT (name) DO UPDATE
             SET position = excluded.position, types = excluded.types, updated_at = excluded.updated_at RETURNING *`,
            [name, position, types ? stringifyJson(types) : null, now(), bindTo ?? null],
          );
          if (!row) throw new Error(`consumer ${name} is not there after it was written`);
          return toConsumer(row);
        },
        (placed) => {
          if (typeof placed === "object") moved(name, placed.position);
        },
      ),
    setConsumerTypes: (name, types) =>
      write(async (transaction) => {
        await transaction.run(
          "UPDATE consumers SET types = $2, updated_at = $3 WHERE name = $1 AND types IS DISTINCT FROM $2",
          [name, types && stringifyJson(types), now()],
        );
        return find(transaction, name);
      }),
    readConsumer: (name) => read((connection) => find(connection, name)),
    readConsumers: ({ after = "", limit }) =>
      read(async (connection) =>
        (
          await connection.query<ConsumerRow>(
            "SELECT * FROM consumers WHERE name > $1 ORDER BY name LIMIT $2",
            [...[after, limit]],
          )
        ).map(toConsumer),
      ),
    ackConsumer: async (name, sequence, { proof } = {}) => {
      const acknowledged = await write(
        async (transaction) => {
          if (!(await mayUse(transaction, name, proof))) return undefined;
          const moved = await transaction.one<ConsumerRow>(
            "UPDATE consumers SET position = $2, updated_at = $3 WHERE name = $1 AND position < $2 RETURNING *",
            [name, sequence, now()],
          );
          return {
            isMoved: moved !== undefined,
            consumer: orNothing(moved) ?? (await find(transaction, name)),
          };
        },
        (result) => {
          if (result?.isMoved) moved(name, sequence);
        },
      );
      return acknowledged === undefined ? "bound" : acknowledged.consumer;
    },
    deleteConsumer: (name, { proof } = {}) =>
      write(
        async (transaction) => {
          if (!(await mayUse(transaction, name, proof))) return "bound";
          return (await transaction.run("DELETE FROM consumers WHERE name = $1", [name])) > 0;
        },
        (isDeleted) => {
          if (isDeleted === true) moved(name, 0);
        },
      ),
    pending: (name, most = PENDING_COUNTED) =>
      read(async (connection) => {
        const consumer = await find(connection, name);
        return consumer && countPending(connection, consumer, most);
      }),
    onAcknowledge: movements.add,
    heard: movements.notify,
    clear: movements.clear,
  };
}
