// Building blocks for the inputs of Nexus's operations.

import { z } from "zod";

/** How to look a row up by what people call it: `input` of `operation`. */
interface LookUp {
  operation: string;
  input: string;
}

/** What people call a row by: a number, a phone number, an e-mail address. Errors never repeat any other text. */
const CALLED = /^[\w#+@./-]{1,60}$/;

/** A row's id. Not z.uuid, which refuses ids that PostgreSQL accepts. */
export const rowId = (of: string, lookUp?: (called: string) => LookUp) =>
  z
    .guid({
      error: ({ code, input }) => {
        if (code !== "invalid_format" || typeof input !== "string" || !lookUp || !CALLED.test(input))
          return undefined;
        const { operation, input: field } = lookUp(input);
        return `must be a UUID; ${input} looks like ${/^[aeiou]/.test(field) ? "an" : "a"} ${field}: ${operation} ${field}=${input}`;
      },
    })
    .describe(`The id of the ${of}, a UUID`);

export const orderId = rowId("order", () => ({ operation: "nexus.orders.list", input: "orderNumber" }));
export const awbId = rowId("shipment", () => ({ operation: "nexus.awbs.list", input: "awbNumber" }));
export const customerId = rowId("customer", (called) => ({
  operation: "nexus.customers.search",
  input: called.includes("@") ? "email" : "phoneNumber",
}));

/** A value of an enum without a documented list: Nexus refuses unknown ones. */
export const label = (examples: string) =>
  z.string().regex(/^[a-z][a-z_]{0,39}$/, `must be in lower case, such as ${examples}`);

export const time = z.iso.datetime({ offset: true });

export const phoneNumber = z
  .string()
  .regex(/^\+[1-9]\d{4,14}$/, "must be a number with its country code only, such as +201005550101")
  .describe("A phone number with its country code (E.164)");
