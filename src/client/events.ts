// The events of the log for a program: discriminated by `type`, with the declared data of each type.

import type { z } from "zod";
import type { cloudEvent, LogGap } from "../contract/api/events.ts";
import type { EventData, EventName } from "../contract/events.ts";
import { parseJson } from "../core/exact-json.ts";
import { type FollowOptions, follow } from "./follow.ts";

/** Data by event type, as own jobs declare it: `EventsOf` of nexusd/job derives it from their declarations. */
export type OwnEvents = object;
export type NoOwnEvents = Record<never, never>;

type Attributes = Omit<z.output<typeof cloudEvent>, "type" | "data">;
type EventsIn<Data> = {
  [Name in keyof Data & string]: Attributes & { type: `nexusd.${Name}`; data: Data[Name] };
}[keyof Data & string];

/**
 * An event of the log. Integers above 2^53 in `data` are bigint. Types that neither nexusd nor `Own` declares occur,
 * too, from another job or a newer daemon: a switch over all types still needs a default.
 */
export type LogEvent<Own extends OwnEvents = NoOwnEvents> = EventsIn<EventData> | EventsIn<Own>;

/** What following reports besides events; notices have no sequence in the log. */
export type LogNotice =
  /** Retention removed these before they were read. */
  | { type: "nexusd.log.gap"; data: LogGap }
  /** The database was replaced: it is followed from its beginning, and earlier positions are invalid in it. */
  | { type: "nexusd.log.replaced"; data: { epoch: string; previous: string } };

export interface EventFilter {
  /** The last sequence that is already known, as in an event; default 0: from the beginning. */
  after?: number | string;
  /** The epoch of the log that `after` belongs to. Without it, a replaced database goes unnoticed. */
  epoch?: string;
  /** Types or patterns, with or without the prefix `nexusd.`: `nexus.stock.low`, `messaging.*`. Default: every type. */
  types?: readonly TypePattern[];
  signal?: AbortSignal;
}

/** Any text; editors complete the known types. */
export type TypePattern = EventName | "*" | (string & Record<never, never>);

export interface EventsOptions extends EventFilter {
  /** Whether to wait for a daemon that is unavailable at the start; default false: the error `no_daemon`. */
  waitForDaemon?: boolean;
  /** Called when the daemon was unavailable for several attempts, and with undefined when it is back. */
  onAway?: (error: unknown) => void;
}

type Surroundings = Pick<FollowOptions, "transport" | "role" | "clock" | "random">;

/** See `Client.events`. */
export async function* logEvents<Own extends OwnEvents>(
  surroundings: Surroundings,
  options: EventsOptions,
): AsyncGenerator<LogEvent<Own> | LogNotice, void, undefined> {
  const items = follow({
    ...surroundings,
    after: Number(options.after ?? 0),
    epoch: options.epoch,
    types: options.types,
    waitForDaemon: options.waitForDaemon ?? false,
    signal: options.signal ?? new AbortController().signal,
  });
  for await (const item of items)
    switch (item.kind) {
      case "event":
        yield parseJson(item.json) as LogEvent<Own>; // the contract of the log
        break;
      case "gap":
        yield { type: "nexusd.log.gap", data: item.gap };
        break;
      case "replaced":
        yield { type: "nexusd.log.replaced", data: { epoch: item.epoch, previous: item.previous } };
        break;
      case "away":
        options.onAway?.(item.error);
        break;
      case "back":
        options.onAway?.(undefined);
        break;
    }
}
