// The records of Nex: people, companies, deals and what else a workspace keeps, how they are related, and their history.

import { z } from "zod";
import { fieldsOf, freeForm, line, present } from "../input.ts";
import { type Fields, gone, id, many, nexTable, objectSlug, one, recordId, whole } from "./operation.ts";

const RECORD = "GET /records/{recordId}";

const name = () =>
  z
    .union([z.string().min(1), z.record(z.string(), z.unknown())])
    .describe("A text, or an object such as {first_name, last_name}");
const attributesHint = "The attributes by their slugs, as nex.objects.get has them";

/** Which records of a list, and what of each: of a kind, and of a list that people keep. */
export const pageInput = () => ({
  attributes: z
    .union([z.enum(["all", "primary", "none"]), z.array(line).min(1)])
    .optional()
    .describe("Which attributes to show: all, primary, none, or a list of slugs"),
  limit: z.int().min(1).max(10_000).optional().describe("The most records to give"),
  offset: z.int().min(0).optional().describe("How many records to pass over first"),
  sortBy: line.optional().describe("The slug of the attribute to sort by, such as updated_at"),
  sortDirection: z.enum(["asc", "desc"]).optional().describe("asc (rising) or desc (falling); with sortBy"),
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
    message: "is missing: sortDirection says how, not by what",
  });

/** What it is that goes. Its other attributes change by themselves, as Nex learns. */
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
    description: "The records of one kind, in pages.",
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
    description: "Records of every kind in which a text is found, by kind.",
    input: () => ({ query: z.string().min(1).max(500).describe("What to look for, 1 to 500 characters") }),
    output: whole,
  },
  {
    name: "nex.records.create",
    call: "POST /objects/{objectSlug}",
    effect: "write",
    idempotent: false,
    title: "Create a record",
    description: "A new record, even where there is one like it: nex.records.upsert looks for that first.",
    input: () => ({
      objectSlug: objectSlug(),
      attributes: freeForm(z.looseObject({ name: name() })).describe(attributesHint),
    }),
    output: one("record"),
    howToFindOut: "Read nex.records.search with its name: is there a record made at that time?",
  },
  {
    name: "nex.records.upsert",
    call: "PUT /objects/{objectSlug}",
    effect: "write",
    idempotent: true,
    title: "Create or update a record",
    description: "Updates the record that agrees in one attribute, or creates it where there is none.",
    input: () => ({
      objectSlug: objectSlug(),
      matchingAttribute: line.describe("The slug or id of the attribute by which the record is recognised"),
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
    description: "Sets attributes of a record; those that are not named stay as they are.",
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
    // A second DELETE answers 404, which does not say whether the first one did it: it is read back instead.
    idempotent: false,
    destructive: true,
    title: "Delete a record",
    description: "Deletes a record for good.",
    input: () => ({ recordId: recordId() }),
    output: gone("deleted", "recordId"),
    look: { call: RECORD, show: typeAndName },
    howToFindOut: "Read nex.records.get of the record: not found means that it is deleted.",
  },
  {
    name: "nex.records.get_timeline",
    call: "GET /records/{recordId}/timeline",
    effect: "read",
    title: "Show what happened to a record",
    description: "The changes of a record with its tasks, notes and lists, in pages.",
    input: () => ({
      recordId: recordId(),
      limit: z.int().min(1).max(100).optional().describe("The most events to give; 50 where left out"),
      cursor: line.optional().describe("next_cursor of the page before"),
    }),
    output: many("events"),
  },
  {
    name: "nex.records.add_relationship",
    call: "POST /records/{recordId}/relationships",
    effect: "write",
    idempotent: false,
    title: "Relate two records",
    description: "Relates two records by a kind of relationship, as nex.relationships.list has them.",
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
    title: "Take a relationship of two records away",
    description: "Deletes for good that two records are related; the records stay.",
    input: () => ({
      recordId: recordId(),
      instanceId: id("The id of the relationship of the two, as nex.records.add_relationship gave it"),
    }),
    output: gone("deleted", "instanceId"),
    howToFindOut: "Read nex.graph.get, or look in Nex: are the two records still related?",
  },
  {
    name: "nex.graph.get",
    call: "GET /graph",
    effect: "read",
    title: "Show the knowledge graph",
    description: "Records as nodes, with their relationships and what Nex has concluded about them. Large.",
    input: () => ({
      limit: z.int().min(1).max(5000).optional().describe("The most records; 1000 where left out"),
    }),
    output: whole,
  },
]);
