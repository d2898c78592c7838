// The operations on customers.

import { z } from "zod";
import { instantOf } from "../../core/instant.ts";
import { line, present, prose } from "../input.ts";
import { defineOperation, type NexusFacts } from "./facts.ts";
import { customerId, phoneNumber, time } from "./fields.ts";
import {
  MOST_ROWS,
  NEWEST_FIRST,
  pageAs,
  paging,
  pagingOfFew,
  readPage,
  readRows,
  rowOf,
  rowsOf,
  where,
  writeRow,
  writtenRow,
} from "./rows.ts";

const email = z.email().describe("An e-mail address");
const tags = z.array(line).max(100);

export const listCustomers = defineOperation({
  name: "nexus.customers.list",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "List customers",
  description: "Customers, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z.strictObject({
      journeyStageId: z.guid().optional().describe("Only customers in this stage of the journey, a UUID"),
      assignedTo: line.optional().describe("Only customers assigned to this person"),
      createdFrom: time.optional().describe("Only customers created at or after this time"),
      createdTo: time.optional().describe("Only customers created before this time"),
      ...paging(NEWEST_FIRST, "customers"),
    }),
  ),
  request: ({ journeyStageId, assignedTo, createdFrom, createdTo, ...page }, facts) =>
    readPage(
      facts,
      "customers",
      {
        journey_stage_id: where("eq", journeyStageId),
        assigned_to: where("eq", assignedTo),
        created_at: [where("gte", createdFrom), where("lt", createdTo)],
      },
      NEWEST_FIRST,
      page,
    ),
  output: pageAs("customers", "customers", NEWEST_FIRST),
});

const customerRequest = (facts: NexusFacts, id: string) =>
  readRows(facts, "customers", { id: where("eq", id), limit: 1 });

export const getCustomer = defineOperation({
  name: "nexus.customers.get",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Show a customer",
  description:
    "One customer by id. To find one by phone number or e-mail address, use nexus.customers.search.",
  input: z.lazy(() => z.strictObject({ customerId })),
  request: (input, facts) => customerRequest(facts, input.customerId),
  output: (answer) => ({ customer: rowOf(answer, "customers") }),
});

interface Contact {
  phoneNumber?: string | undefined;
  email?: string | undefined;
}

const withContact = ({ phoneNumber, email }: Contact) => ({
  phone_number: where("eq", phoneNumber),
  email: where("eq", email),
});

const contactRequest = (facts: NexusFacts, contact: Contact) =>
  readRows(facts, "customers", {
    ...withContact(contact),
    order: NEWEST_FIRST.order,
    limit: MOST_ROWS,
  });

export const searchCustomers = defineOperation({
  name: "nexus.customers.search",
  service: "nexus",
  effect: "read",
  idempotent: true,
  title: "Find customers",
  description:
    "The customers with a phone number, an e-mail address or both, exactly as Nexus has it, newest first, page by page: `next` is null at the end.",
  input: z.lazy(() =>
    z
      .strictObject({
        phoneNumber: phoneNumber.optional(),
        email: email.optional(),
        ...pagingOfFew(NEWEST_FIRST, "customers"),
      })
      .refine((input) => input.phoneNumber !== undefined || input.email !== undefined, {
        path: ["phoneNumber"],
        message: "or email is required",
      }),
  ),
  request: ({ phoneNumber, email, ...page }, facts) =>
    readPage(facts, "customers", withContact({ phoneNumber, email }), NEWEST_FIRST, page),
  output: pageAs("customers", "customers", NEWEST_FIRST),
});

export const createCustomer = defineOperation({
  name: "nexus.customers.create",
  service: "nexus",
  effect: "write",
  idempotent: false,
  title: "Create a customer",
  description:
    "Creates a customer, even if there is a similar one: look with nexus.customers.search first. It needs a name, a phone number or an e-mail address.",
  input: z.lazy(() =>
    z
      .strictObject({
        firstName: line.optional().describe("The first name"),
        lastName: line.optional().describe("The last name"),
        phoneNumber: phoneNumber.optional(),
        email: email.optional(),
        address: z
          .strictObject({
            line1: line.optional().describe("Street and number"),
            line2: line.optional().describe("Further address lines"),
            city: line.optional().describe("The city"),
            country: line.optional().describe("The country"),
          })
          .optional()
          .describe("The address"),
        tags: tags.optional().describe("The tags"),
        notes: prose.optional().describe("Notes about the customer"),
      })
      .refine(
        ({ firstName, lastName, phoneNumber, email }) => firstName ?? lastName ?? phoneNumber ?? email,
        {
          path: ["firstName"],
          message: "or lastName, phoneNumber or email is required",
        },
      ),
  ),
  request: ({ firstName, lastName, phoneNumber, email, address, tags, notes }, facts) =>
    writeRow(
      facts,
      "POST",
      "customers",
      {},
      {
        organization_id: facts.organizationId(),
        ...present({ first_name: firstName, last_name: lastName, phone_number: phoneNumber, email }),
        ...present({ address: address && present(address), tags, notes }),
      },
    ),
  output: (answer) => ({ customer: writtenRow(answer, "customers") }),
  readBack: async ({ phoneNumber, email }, facts, read, startedAt) => {
    if (phoneNumber === undefined && email === undefined) return { kind: "cannot_tell" };
    const customers = rowsOf(await read(contactRequest(facts, { phoneNumber, email })), "customers");
    // By Nexus's clock. If that is behind ours nothing is certain, and nothing is claimed.
    const [created, ...more] = customers.filter((row) => instantOf(String(row.created_at)) >= startedAt);
    if (created && more.length === 0) return { kind: "done", output: { customer: created } };
    return { kind: customers.length === 0 ? "not_found" : "cannot_tell" };
  },
  howToFindOut: "Look with nexus.customers.search: is there a customer created at this time?",
});

export const updateTags = defineOperation({
  name: "nexus.customers.update_tags",
  service: "nexus",
  effect: "write",
  // Setting all tags is not idempotent while others change them: a repetition could undo a change made in between.
  idempotent: false,
  title: "Set the tags of a customer",
  description:
    "Replaces all tags of a customer, if they are still those that the proposal showed: tags that are not in the list are removed.",
  input: z.lazy(() =>
    z.strictObject({ customerId, tags: tags.describe("All tags that the customer should have") }),
  ),
  request: ({ customerId, tags }, facts) =>
    writeRow(facts, "PATCH", "customers", { id: where("eq", customerId) }, { tags }),
  output: (answer) => ({ customer: writtenRow(answer, "customers") }),
  target: (input) => `nexus/customers/${input.customerId.toLowerCase()}`,
  precondition: async (input, facts, read) => {
    const customer = rowOf(await read(customerRequest(facts, input.customerId)), "customers");
    return {
      firstName: customer.first_name ?? null,
      lastName: customer.last_name ?? null,
      tags: customer.tags ?? null,
    };
  },
  readBack: async (input, facts, read) => {
    const customer = rowOf(await read(customerRequest(facts, input.customerId)), "customers");
    const isDone = JSON.stringify(customer.tags ?? []) === JSON.stringify(input.tags);
    return isDone ? { kind: "done", output: { customer } } : { kind: "cannot_tell" };
  },
  howToFindOut: "Read nexus.customers.get of the customer: does it have these tags?",
});
