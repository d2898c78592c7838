// The events in the API's description: one schema per type, with `type` as the discriminator.

import { z } from "zod";
import { EVENTS, type EventName } from "../contract/events.ts";
import { TYPE_PREFIX } from "../contract/new-event.ts";

type JsonSchema = Record<string, unknown>;
type Schemas = Record<string, JsonSchema>;

const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });

/** The schema name for a type: "nexus.stock.low" becomes NexusStockLowEvent. */
const schemaName = (type: string) =>
  `${type.replace(/(^|[._])([a-z])/g, (_, _separator, letter: string) => letter.toUpperCase())}Event`;

/**
 * @param event the schema of any event, as the routes have it
 * @returns the schema `Event`, a union over all types of nexusd and of own jobs, and its parts
 */
export function eventSchemas(event: JsonSchema): Schemas {
  const names = Object.keys(EVENTS) as EventName[]; // keys of the table itself
  const known = names.map((name): [string, JsonSchema] => {
    const { $schema: _, ...data } = z.toJSONSchema(EVENTS[name].data, { io: "input" });
    const own = { type: "object", properties: { type: { const: TYPE_PREFIX + name }, data } };
    return [schemaName(name), { description: EVENTS[name].when, allOf: [ref("AnyEvent"), own] }];
  });
  // A pattern instead of `not`, which few client generators support.
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
