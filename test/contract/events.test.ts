// The table of events against everything generated from it.

import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { z } from "zod";
import { eventsPage } from "../../docs/events-page.ts";
import { EVENTS } from "../../src/contract/events.ts";
import { eventSchemas } from "../../src/control/event-schemas.ts";

const schemas = eventSchemas({ type: "object", required: ["type", "data"] });
const validate = new Ajv2020({ strict: false, validateFormats: false }).compile({
  $ref: "#/components/schemas/Event",
  components: { schemas },
});

test("the page of events is current (npm run docs)", () => {
  expect(readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8")).toBe(eventsPage());
});

test.each(Object.entries(EVENTS))(
  "the example of %s has the declared shape, and no other field",
  (_, event) => {
    const strict: z.ZodType = z.strictObject(event.data.shape);
    expect(strict.parse(event.example)).toEqual(event.example);
  },
);

test.each(Object.entries(EVENTS))(
  "the API's description accepts an event of type %s, and describes its data",
  (name, { example }) => {
    const type = `nexusd.${name}`;
    expect(validate({ type, data: example }), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ type, data: { ...example, aFieldOfLater: 1 } })).toBe(true);
    const [field = ""] = Object.keys(example);
    expect(validate({ type, data: { ...example, [field]: undefined } })).toBe(false);
  },
);

test("the API's description accepts an event of a user's own job", () => {
  expect(validate({ type: "nexusd.backup.done", data: { files: 3 } })).toBe(true);
});

test("each type has everything that a reader needs to know", () => {
  for (const [name, { when }] of Object.entries(EVENTS)) {
    expect(name).toMatch(/^[a-z]+(\.[a-z_]+)+$/);
    expect(when, name).toMatch(/^[A-Zn].*\.$/);
  }
});
