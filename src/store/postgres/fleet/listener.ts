// Hears what other nodes did: LISTEN on a connection of its own. What it misses is seen a second later at the latest.

import { z } from "zod";
import type { Clock } from "../../../core/clock.ts";
import { Connection, type ConnectionSettings } from "../connection.ts";
import { claimSlot, SLOTS } from "./slots.ts";

const AGAIN_MS = 250;

/** One message stands for everything that a node did in some milliseconds. */
const message = z.object({
  /** The incarnation of the sender. */
  by: z.number(),
  /** The newest sequence, and the id of its event. */
  latest: z.int().nonnegative().optional(),
  id: z.string().nullish(),
  /** Consumers that were acknowledged, placed or deleted, with their positions. */
  moved: z.array(z.tuple([z.string(), z.number()])).optional(),
  /** Nodes or leases changed. */
  fleet: z.boolean().optional(),
  /** The log has a new epoch. */
  epoch: z.boolean().optional(),
});

export type Message = z.output<typeof message>;

export const channelOf = (schema: string): string => `nexusd_${schema}`;

export interface Listener {
  /** It listens for the first time, or could not. */
  started(): Promise<void>;
  /** Whether its session is there, with its lock. */
  isListening(): boolean;
  /** Gives its connection up for another one. */
  drop(): void;
  close(): Promise<void>;
}

export function listen(options: {
  settings: ConnectionSettings;
  /** Has its lock. */
  first: Connection;
  clock: Pick<Clock, "sleep">;
  incarnation: number;
  verify(connection: Connection): Promise<void>;
  onMessage(heard: Message): void;
  /** It listens after it did not: what was told meanwhile was not heard. */
  onListening(): void;
  onLost(): void;
}): Listener {
  const { settings, clock, incarnation, verify, onMessage, onListening, onLost } = options;
  const closing = new AbortController();
  let connection: Connection | undefined;

  let first: Connection | undefined = options.first;
  connection = first;

  const open = async (): Promise<Connection> => {
    const opened = first ?? (await Connection.open(settings));
    const isFirst = first !== undefined;
    first = undefined;
    try {
      await verify(opened);
      if (!isFirst) await claimSlot(opened, incarnation + SLOTS.listener, (ms) => clock.sleep(ms));
      opened.onNotification((_channel, payload) => {
        const heard = parse(payload);
        if (heard && heard.by !== incarnation) onMessage(heard);
      });
      await opened.script(`LISTEN "${channelOf(settings.schema)}"`);
      return opened;
    } catch (error) {
      opened.destroy();
      throw error;
    }
  };

  const begun = Promise.withResolvers<void>();
  let isAgain = false;
  const run = async () => {
    while (!closing.signal.aborted)
      try {
        connection = await open();
        const lost = new Promise<void>((resolve) => connection?.onLost(() => resolve()));
        if (closing.signal.aborted) break;
        if (isAgain) onListening();
        begin();
        await lost;
        connection = undefined;
        if (!closing.signal.aborted) onLost();
      } catch {
        connection = undefined;
        begin();
        await clock.sleep(AGAIN_MS, closing.signal).catch(() => {});
      }
  };
  const begin = () => {
    isAgain = true;
    begun.resolve();
  };
  const done = run().finally(begin);

  return {
    started: () => begun.promise,
    isListening: () => connection !== undefined && !connection.isLost,
    drop: () => connection?.destroy(),
    close: async () => {
      closing.abort();
      const open = connection;
      await open?.end();
      await done;
      await connection?.end();
    },
  };
}

function parse(payload: string): Message | undefined {
  try {
    return message.parse(JSON.parse(payload));
  } catch {
    return undefined; // of another program
  }
}
