// How an event type is declared. The declarations are in events/, the whole table in events.ts.

import type { z } from "zod";

/** One type of event: the source of the reference, the API's description and the client's types. */
export interface EventDeclaration<Data extends z.ZodType = z.ZodType> {
  /** When such an event is logged, as a sentence. */
  when: string;
  /** The content of the event's `subject`, as a noun; null: it has none. */
  subject: string | null;
  data: Data;
  /** Example data. */
  example: z.input<Data>;
}

export const declareEvent = <Data extends z.ZodType>(event: EventDeclaration<Data>): EventDeclaration<Data> =>
  event;

/** The event types of an own job, by name, without the prefix `nexusd.`. */
export type OwnEventTable = Readonly<
  Record<
    string,
    Pick<EventDeclaration, "when" | "data"> & Partial<Pick<EventDeclaration, "subject" | "example">>
  >
>;

/** The data of each type of a table. */
export type EventsOf<Table extends OwnEventTable> = { [Name in keyof Table]: z.output<Table[Name]["data"]> };
