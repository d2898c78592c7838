// The lists of Nex: records that people put together, each with attributes that it has only there.

import { z } from "zod";
import { freeForm, line, prose } from "../input.ts";
import { gone, id, many, nexTable, objectSlug, one, recordId } from "./operation.ts";
import { pageBody, pageInput, pageRules } from "./operations-records.ts";

const LIST = "GET /lists/{listId}";

const listId = () => id("The id of the list, from nex.lists.list");
const memberAttributes = () =>
  freeForm(z.record(z.string(), z.unknown())).describe("Attributes of the record in this list, by slug");

export const listOperations = nexTable([
  {
    name: "nex.lists.list",
    call: "GET /objects/{objectSlug}/lists",
    effect: "read",
    title: "List the lists of a kind of record",
    description: "The lists for records of one kind.",
    input: () => ({
      objectSlug: objectSlug(),
      includeAttributes: z
        .boolean()
        .optional()
        .describe("Whether to return the attributes of each list, too"),
    }),
    output: many("lists"),
  },
  {
    name: "nex.lists.get",
    call: LIST,
    effect: "read",
    title: "Show a list",
    description: "One list, without its records, which nex.lists.list_records returns.",
    input: () => ({ listId: listId() }),
    output: one("list"),
  },
  {
    name: "nex.lists.create",
    call: "POST /objects/{objectSlug}/lists",
    effect: "write",
    idempotent: false,
    title: "Create a list",
    description: "Creates an empty list.",
    input: () => ({
      objectSlug: objectSlug(),
      name: line.describe("The display name"),
      slug: line.describe("Its name in paths"),
      namePlural: line.optional().describe("The plural of the name"),
      description: prose.optional().describe("What it is for"),
    }),
    output: one("list"),
    howToFindOut: "Read nex.lists.list of the kind: is there a list with this slug?",
  },
  {
    name: "nex.lists.delete",
    call: "DELETE /lists/{listId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete a list",
    description:
      "Deletes a list permanently, with the attributes that its records have only there. The records themselves stay.",
    input: () => ({ listId: listId() }),
    output: gone("deleted", "listId"),
    look: { call: LIST, show: ({ slug = null, name = null }) => ({ slug, name }) },
    howToFindOut: "Read nex.lists.get of the list: not found means that it is deleted.",
  },
  {
    name: "nex.lists.list_records",
    call: "POST /lists/{listId}/records",
    effect: "read",
    title: "List the records of a list",
    description: "The records of one list, page by page.",
    input: () => ({ listId: listId(), ...pageInput() }),
    rules: pageRules,
    body: pageBody,
    output: many("records"),
  },
  {
    name: "nex.lists.add_record",
    call: "POST /lists/{listId}",
    effect: "write",
    idempotent: false,
    title: "Add a record to a list",
    description:
      "Adds a record to a list, even if it is there already: nex.lists.upsert_record checks that first.",
    input: () => ({
      listId: listId(),
      recordId: recordId(),
      attributes: memberAttributes().optional(),
    }),
    named: { recordId: "parent_id" },
    output: one("record"),
    howToFindOut: "Read nex.lists.list_records of the list: is the record there, and only once?",
  },
  {
    name: "nex.lists.upsert_record",
    call: "PUT /lists/{listId}",
    effect: "write",
    idempotent: true,
    title: "Add a record to a list, or update it there",
    description: "Adds a record to a list; if it is there already, sets its attributes in the list.",
    input: () => ({
      listId: listId(),
      recordId: recordId(),
      attributes: memberAttributes().optional(),
    }),
    named: { recordId: "parent_id" },
    output: one("record"),
  },
  {
    name: "nex.lists.update_record",
    call: "PATCH /lists/{listId}/records/{recordId}",
    effect: "write",
    idempotent: true,
    title: "Update a record in a list",
    description: "Sets attributes that a record has only in this list.",
    input: () => ({ listId: listId(), recordId: recordId(), attributes: memberAttributes() }),
    output: one("record"),
  },
  {
    name: "nex.lists.remove_record",
    call: "DELETE /lists/{listId}/records/{recordId}",
    effect: "write",
    idempotent: false,
    // The record stays, but its attributes in the list cannot be restored.
    destructive: true,
    title: "Remove a record from a list",
    description:
      "Removes a record from a list, with the attributes that it has only there. The record itself stays.",
    input: () => ({ listId: listId(), recordId: recordId() }),
    output: gone("removed", "recordId"),
    howToFindOut: "Read nex.lists.list_records of the list: is the record still there?",
  },
]);
