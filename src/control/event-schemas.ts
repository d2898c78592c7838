// The events in the API's description: one schema for each type, told apart by `type`.

import { z } from "zod";
import { EVENTS, type EventName } from "../contract/events.ts";
import { TYPE_PREFIX } from "../contract/new-event.ts";

type JsonSchema = Record<string, unknown>;
type Schemas = Record<string, JsonSchema>;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** "nexus.stock.low" as the name of a schema: NexusStockLow. */
const schemaName = (type: string) =>
  `${type.replace(/(^|[._])([a-z])/g, (_, _separator, letter: string) => letter.toUpperCase())}Event`;

/**
 * @param event the schema of any event, as the routes have it
 * @returns the schema `Event`, a union over all types of nexusd and those of jobs of one's own, and its parts
 */
export function eventSchemas(event: JsonSchema): Schemas {
  const names = Object.keys(EVENTS) as EventName[]; // keys of the table itself
  const known = names.map((name): [string, JsonSchema] => {
    const { $schema: _, ...data } = z.toJSONSchema(EVENTS[name].data, { io: "input" });
    const own = { type: "object", properties: { type: { const: TYPE_PREFIX + name }, data } };
    return [schemaName(name), { description: EVENTS[name].when, allOf: [ref("AnyEvent"), own] }];
  });
  // A pattern and not `not`, which few generators of clients can read.
  const isOther = `^(?!${names.map((name) => `${TYPE_PREFIX}${name}`.replaceAll(".", "\\.")).join("$|")}$)`;
  const other = { type: "object", properties: { type: { type: "string", pattern: isOther } } };
  return {
    AnyEvent: event,
    Event: {
      oneOf: [...known.map(([name]) => ref(name)), ref("OtherEvent")],
      discriminator: {
        propertyName: "type",
        mapping: Object.fromEntries(names.map((name) => [TYPE_PREFIX + name, ref(schemaName(name)).$ref])),
      },
    },
    ...Object.fromEntries(known),
    OtherEvent: { description: "An event of an own job.", allOf: [ref("AnyEvent"), other] },
  };
}
