// How an event type is declared. The declarations are in events/, the whole table in events.ts.

import type { z } from "zod";

/** One type of event: everything that the reference, the API's description and the types of a client say of it. */
export interface EventDeclaration<Data extends z.ZodType = z.ZodType> {
  /** When such an event is logged, as a sentence. */
  when: string;
  /** What the event's `subject` is, as a noun; null: it has none. */
  subject: string | null;
  data: Data;
  /** Data as it may look. */
  example: z.input<Data>;
}

export const declareEvent = <Data extends z.ZodType>(event: EventDeclaration<Data>): EventDeclaration<Data> =>
  event;

/** The types that a job of one's own logs, by name, without the prefix `nexusd.`. */
export type OwnEventTable = Readonly<
  Record<
    string,
    Pick<EventDeclaration, "when" | "data"> & Partial<Pick<EventDeclaration, "subject" | "example">>
  >
>;

/** The data of each type of a table. */
export type EventsOf<Table extends OwnEventTable> = { [Name in keyof Table]: z.output<Table[Name]["data"]> };
