// The records of Nex: people, companies, deals and others, their relationships, and their history.

import { z } from "zod";
import { fieldsOf, freeForm, line, present } from "../input.ts";
import { type Fields, gone, id, many, nexTable, objectSlug, one, recordId, whole } from "./operation.ts";

const RECORD = "GET /records/{recordId}";

const name = () =>
  z
    .union([z.string().min(1), z.record(z.string(), z.unknown())])
    .describe("A string, or an object such as {first_name, last_name}");
const attributesHint = "The attributes by slug, from nex.objects.get";

/** Which records a list returns, and which fields; for a kind of records, and for a list. */
export const pageInput = () => ({
  attributes: z
    .union([z.enum(["all", "primary", "none"]), z.array(line).min(1)])
    .optional()
    .describe("Which attributes to return: all, primary, none, or a list of slugs"),
  limit: z.int().min(1).max(10_000).optional().describe("At most this many records"),
  offset: z.int().min(0).optional().describe("How many records to skip"),
  sortBy: line.optional().describe("The slug of the attribute to sort by, such as updated_at"),
  sortDirection: z.enum(["asc", "desc"]).optional().describe("asc or desc; with sortBy"),
});

export const pageBody = ({ attributes, limit, offset, sortBy, sortDirection }: Fields): Fields =>
  present({
    attributes: Array.isArray(attributes) ? { mode: "custom", slugs: attributes } : attributes,
    ...{ limit, offset },
    sort: sortBy === undefined ? undefined : present({ attribute: sortBy, direction: sortDirection }),
  });

export const pageRules = (schema: z.ZodObject): z.ZodType<Fields> =>
  schema.refine(({ sortBy, sortDirection }) => sortDirection === undefined || sortBy !== undefined, {
    path: ["sortBy"],
    message: "is missing: sortDirection needs it",
  });

/** Identifies what is deleted. Its other attributes change as Nex learns. */
const typeAndName = ({ type = null, attributes }: Fields) => ({
  type,
  name: fieldsOf(attributes).name ?? null,
});

export const recordOperations = nexTable([
  {
    name: "nex.records.list",
    call: "POST /objects/{objectSlug}/records",
    effect: "read",
    title: "List records of a kind",
    description: "The records of one kind, page by page.",
    input: () => ({ objectSlug: objectSlug(), ...pageInput() }),
    rules: pageRules,
    body: pageBody,
    output: many("records"),
  },
  {
    name: "nex.records.get",
    call: RECORD,
    effect: "read",
    title: "Show a record",
    description: "One record with all its attributes.",
    input: () => ({ recordId: recordId() }),
    output: one("record"),
  },
  {
    name: "nex.records.search",
    call: "POST /search",
    effect: "read",
    title: "Search records",
    description: "The records of every kind that contain a text, grouped by kind.",
    input: () => ({ query: z.string().min(1).max(500).describe("What to look for, 1 to 500 characters") }),
    output: whole,
  },
  {
    name: "nex.records.create",
    call: "POST /objects/{objectSlug}",
    effect: "write",
    idempotent: false,
    title: "Create a record",
    description: "Creates a record, even if there is a similar one: nex.records.upsert looks for that first.",
    input: () => ({
      objectSlug: objectSlug(),
      attributes: freeForm(z.looseObject({ name: name() })).describe(attributesHint),
    }),
    output: one("record"),
    howToFindOut: "Read nex.records.search with its name: is there a record created at that time?",
  },
  {
    name: "nex.records.upsert",
    call: "PUT /objects/{objectSlug}",
    effect: "write",
    idempotent: true,
    title: "Create or update a record",
    description: "Updates the record with the same value in one attribute, or creates it if there is none.",
    input: () => ({
      objectSlug: objectSlug(),
      matchingAttribute: line.describe("The slug or id of the attribute that identifies the record"),
      attributes: freeForm(z.looseObject({ name: name().optional() })).describe(
        `${attributesHint}; a new record needs a name`,
      ),
    }),
    output: one("record"),
  },
  {
    name: "nex.records.update",
    call: "PATCH /records/{recordId}",
    effect: "write",
    idempotent: true,
    title: "Update a record",
    description: "Sets attributes of a record; attributes that are not named stay unchanged.",
    input: () => ({
      recordId: recordId(),
      attributes: freeForm(z.record(z.string(), z.unknown())).describe(attributesHint),
    }),
    output: one("record"),
  },
  {
    name: "nex.records.delete",
    call: "DELETE /records/{recordId}",
    effect: "write",
    // A second DELETE answers 404, which does not say whether the first one worked, so it is read back.
    idempotent: false,
    destructive: true,
    title: "Delete a record",
    description: "Deletes a record permanently.",
    input: () => ({ recordId: recordId() }),
    output: gone("deleted", "recordId"),
    look: { call: RECORD, show: typeAndName },
    howToFindOut: "Read nex.records.get of the record: not found means that it is deleted.",
  },
  {
    name: "nex.records.get_timeline",
    call: "GET /records/{recordId}/timeline",
    effect: "read",
    title: "Show the history of a record",
    description: "What happened to a record: its changes, tasks, notes and lists, page by page.",
    input: () => ({
      recordId: recordId(),
      limit: z.int().min(1).max(100).optional().describe("At most this many events; default: 50"),
      cursor: line.optional().describe("next_cursor from the previous page"),
    }),
    output: many("events"),
  },
  {
    name: "nex.records.add_relationship",
    call: "POST /records/{recordId}/relationships",
    effect: "write",
    idempotent: false,
    title: "Relate two records",
    description: "Relates two records by a kind of relationship from nex.relationships.list.",
    input: () => ({
      recordId: recordId(),
      relationshipId: id("The id of the kind of relationship"),
      recordId1: id("The id of the record on its first side"),
      recordId2: id("The id of the record on its second side"),
    }),
    named: { relationshipId: "definition_id", recordId1: "entity_1_id", recordId2: "entity_2_id" },
    output: one("relationship"),
    howToFindOut: "Read nex.graph.get, or look in Nex: are the two records related?",
  },
  {
    name: "nex.records.remove_relationship",
    call: "DELETE /records/{recordId}/relationships/{instanceId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Remove a relationship between two records",
    description: "Removes the relationship between two records permanently; the records stay.",
    input: () => ({
      recordId: recordId(),
      instanceId: id("The id of the relationship, from the answer of nex.records.add_relationship"),
    }),
    output: gone("deleted", "instanceId"),
    howToFindOut: "Read nex.graph.get, or look in Nex: are the two records still related?",
  },
  {
    name: "nex.graph.get",
    call: "GET /graph",
    effect: "read",
    title: "Show the knowledge graph",
    description: "Records as nodes, with their relationships and Nex's conclusions about them. Large.",
    input: () => ({
      limit: z.int().min(1).max(5000).optional().describe("At most this many records; default: 1000"),
    }),
    output: whole,
  },
]);
