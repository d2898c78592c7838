// The consumer of a sink: only its position tells what was read, and it is read before every wake.

import type { Logger } from "pino";
import type { Pending, Store } from "../contract/store.ts";
import type { SinkSettings } from "./settings.ts";

type ReaderStore = Pick<
  Store,
  "ackConsumer" | "countEvents" | "pending" | "putConsumer" | "readConsumer" | "setConsumerTypes" | "shared"
>;

export interface Reader {
  /** The newest that was heard of its position. */
  position: number;
  /** Sets its types, whatever its position, and creates it at the end of the log if missing. @throws StoreError */
  adopt(): Promise<void>;
  /** @throws StoreError */
  pending(): Promise<Pending>;
  /** Whether somebody is to be woken for it. */
  isWorthAWake(pending: Pending): boolean;
  /** How many of the events that it wants are in this part of the log. @throws StoreError */
  count(after: number, upTo: number): Promise<number>;
  /** Moves it forward. @returns whether it was behind. @throws StoreError */
  acknowledge(upTo: number): Promise<boolean>;
}

const NOTHING: Pending = { count: 0, isMore: false, oldest: null, newest: null, oldestAt: null, types: {} };
/** The sinks' own events wait for the next wake, unless the sink asks for them by name. */
const OF_SINKS = /^(nexusd\.)?sink\./;

export function createReader(settings: SinkSettings, store: ReaderStore, log: Logger): Reader {
  const { consumer } = settings;
  const types = settings.types.includes("*") ? undefined : settings.types;
  const wantsTroubles = settings.types.some((type) => OF_SINKS.test(type));

  const reader: Reader = {
    position: 0,
    async adopt() {
      const isNew = true;
      const made = await store.putConsumer(consumer, "latest", types, undefined, { isNew });
      const found = typeof made === "object" ? made : await store.setConsumerTypes(consumer, types ?? null);
      reader.position = found?.position ?? 0;
    },
    async pending() {
      // Nobody tells of acknowledgements on other nodes.
      const found = store.shared && (await store.readConsumer(consumer));
      if (found) reader.position = found.position;
      const pending = await store.pending(consumer);
      if (pending) return pending;
      log.warn(
        { consumer },
        "the consumer of this sink was deleted: it is created again, at the end of the log",
      );
      await reader.adopt();
      return (await store.pending(consumer)) ?? NOTHING;
    },
    isWorthAWake: ({ count, isMore, types: pending }) =>
      count > 0 && (isMore || wantsTroubles || Object.keys(pending).some((type) => !OF_SINKS.test(type))),
    count: (after, upTo) => store.countEvents({ after, upTo, ...(types && { types }) }),
    async acknowledge(upTo) {
      const before = reader.position;
      const moved = await store.ackConsumer(consumer, upTo);
      if (typeof moved === "object") reader.position = moved.position;
      return reader.position > before;
    },
  };
  return reader;
}
