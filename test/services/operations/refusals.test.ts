// What the error says about an invalid input: what would be valid, before any approval.

import { expect, test } from "vitest";
import { z } from "zod";
import { explainValue } from "../../../src/core/explain-issue.ts";
import { catalogue } from "../../../src/services/catalogue.ts";
import { fieldsOf } from "../../../src/services/input.ts";
import { operationNamed } from "./support.ts";

// As the control API has it.
z.config({ localeError: explainValue });

const issuesOf = (name: string, input: object) =>
  (operationNamed(name).input.safeParse(input).error?.issues ?? []).map(({ path, message }) => [
    path.join("."),
    message,
  ]);
const saidOf = (name: string, field: string, value: unknown) =>
  issuesOf(name, { [field]: value }).filter(([path]) => path === field);

test.each([
  ["nexus.orders.get", "orderId", "NX-1005", "an orderNumber: nexus.orders.list orderNumber=NX-1005"],
  ["nexus.order_items.list", "orderId", "#5232165", "an orderNumber: nexus.orders.list orderNumber=#5232165"],
  ["nexus.orders.update_status", "orderId", "1005", "an orderNumber: nexus.orders.list orderNumber=1005"],
  ["nexus.awbs.get", "awbId", "AWB-70001", "an awbNumber: nexus.awbs.list awbNumber=AWB-70001"],
  ["nexus.customers.get", "customerId", "a@b.example", "an email: nexus.customers.search email=a@b.example"],
  [
    "nexus.customers.get",
    "customerId",
    "+201005550101",
    "a phoneNumber: nexus.customers.search phoneNumber=+201005550101",
  ],
])("%s with %s %s says that it must be a UUID, and what it looks like", (name, field, value, like) => {
  expect(saidOf(name, field, value)).toEqual([[field, `must be a UUID; ${value} looks like ${like}`]]);
});

test("an unrecognised value is not repeated", () => {
  for (const value of ["a b", "x".repeat(100), "", "<b>", 7, null])
    for (const [, message] of saidOf("nexus.orders.get", "orderId", value))
      expect(message).toMatch(/^must be (a UUID|a text)$/);
});

test("a refused enum or format field of any operation always says what it must be", () => {
  let looked = 0;
  for (const operation of catalogue.all()) {
    const schema = fieldsOf(z.toJSONSchema(operation.input, { io: "input" }));
    for (const [field, declared] of Object.entries(fieldsOf(schema.properties))) {
      const { enum: values, format } = fieldsOf(declared);
      if (!Array.isArray(values) && format === undefined) continue;
      const said = saidOf(operation.name, field, "certainly not this");
      if (said.length === 0) continue;
      looked += 1;
      // Beside it, rules about several fields may report too.
      const message = said.map(([, text]) => text).join("; ");
      expect(message, `${operation.name} ${field}`).toMatch(/^(must be|cannot be|is not a) /);
      for (const value of Array.isArray(values) ? values : [])
        expect(message, `${operation.name} ${field}`).toContain(String(value));
    }
  }
  expect(looked).toBeGreaterThan(30);
});
