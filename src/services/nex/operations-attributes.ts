// The attributes of Nex's records by kind, and the kinds of relationships between records.

import { z } from "zod";
import { fieldsOf, line, present, prose } from "../input.ts";
import type { OperationAnswer } from "../operation.ts";
import { atLeastOneOf, type Fields, gone, id, many, nexTable, objectSlug, one } from "./operation.ts";

const displayName = () => line.describe("The display name");
const about = () => prose.optional().describe("What it is for");
const attributeId = () => id("The id of the attribute, from nex.objects.get");
const flag = (what: string) => z.boolean().optional().describe(what);
const selectOptions = () =>
  z
    .array(z.strictObject({ id: id("The id of an existing option").optional(), name: line }))
    .optional()
    .describe("The options, for the type select: {name}, with the id for an existing option");

const changeableOptions = () => ({
  isRequired: flag("Whether each record must have it"),
  useRawFormat: flag("Whether values are kept as they were entered"),
  isWholeNumber: flag("Whether numbers are integers"),
  selectOptions: selectOptions(),
});

/** The options of an attribute, flat in the input, as Nex nests them. */
const attributeBody = ({ name, slug, type, description, ...rest }: Fields): Fields => {
  const options = present({
    is_required: rest.isRequired,
    is_unique: rest.isUnique,
    is_multi_value: rest.isMultiValue,
    use_raw_format: rest.useRawFormat,
    is_whole_number: rest.isWholeNumber,
    select_options: rest.selectOptions,
  });
  return present({
    ...{ name, slug, type, description },
    options: Object.keys(options).length > 0 ? options : undefined,
  });
};

const withId = (items: unknown, wanted: unknown): Fields | undefined =>
  Array.isArray(items) ? items.map(fieldsOf).find((item) => String(item.id) === wanted) : undefined;

export const attributeOperations = nexTable([
  {
    name: "nex.attributes.create",
    call: "POST /objects/{objectSlug}/attributes",
    effect: "write",
    idempotent: false,
    title: "Add an attribute to a kind of record",
    description: "Adds an attribute to all records of a kind.",
    input: () => ({
      objectSlug: objectSlug(),
      name: displayName(),
      slug: line.describe("Its key in the attributes of a record"),
      type: z
        .enum([
          ...(["text", "number", "email", "phone", "url", "date", "boolean", "currency"] as const),
          ...(["location", "select", "social_profile", "domain", "full_name"] as const),
        ])
        .describe("The type of its values"),
      description: about(),
      ...changeableOptions(),
      isUnique: flag("Whether each record must have a different value"),
      isMultiValue: flag("Whether a record can have several values"),
    }),
    body: attributeBody,
    output: one("attribute"),
    howToFindOut: "Read nex.objects.get of the kind: does it have an attribute with this slug?",
  },
  {
    name: "nex.attributes.update",
    call: "PATCH /objects/{objectSlug}/attributes/{attributeId}",
    effect: "write",
    // A select option without an id may be added again each time.
    idempotent: false,
    title: "Change an attribute",
    description: "Changes the name, the description or the options of an attribute. Its type stays the same.",
    input: () => ({
      objectSlug: objectSlug(),
      attributeId: attributeId(),
      name: displayName().optional(),
      description: about(),
      ...changeableOptions(),
    }),
    rules: atLeastOneOf(
      ...["name", "description", "isRequired", "useRawFormat", "isWholeNumber", "selectOptions"],
    ),
    body: attributeBody,
    output: one("attribute"),
    howToFindOut: "Read nex.objects.get of the kind: does the attribute have the new values?",
  },
  {
    name: "nex.attributes.delete",
    call: "DELETE /objects/{objectSlug}/attributes/{attributeId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete an attribute",
    description: "Deletes an attribute permanently, with its value in every record.",
    input: () => ({ objectSlug: objectSlug(), attributeId: attributeId() }),
    output: gone("deleted", "attributeId"),
    look: {
      call: "GET /objects/{objectSlug}",
      find: (answer, { attributeId }) =>
        withId(fieldsOf(one("object")(answer).object).attributes, attributeId),
      show: ({ slug = null, name = null, type = null }) => ({ slug, name, type }),
    },
    howToFindOut: "Read nex.objects.get of the kind: does it still have the attribute?",
  },
  {
    name: "nex.relationships.list",
    call: "GET /relationships",
    effect: "read",
    title: "List kinds of relationships",
    description: "Which kinds of records can be related, and what each side is called.",
    output: many("relationships"),
  },
  {
    name: "nex.relationships.create",
    call: "POST /relationships",
    effect: "write",
    idempotent: false,
    title: "Create a kind of relationship",
    description: "Defines a relationship between two kinds of records, for nex.records.add_relationship.",
    input: () => ({
      type: z
        .enum(["one_to_one", "one_to_many", "many_to_many"])
        .describe("How many records each side can have"),
      objectId1: id("The id of the first kind of record, from nex.objects.list"),
      objectId2: id("The id of the second kind of record"),
      predicate1To2: line.optional().describe("What the first is to the second, such as works at"),
      predicate2To1: line.optional().describe("What the second is to the first, such as employs"),
    }),
    named: {
      objectId1: "entity_definition_1_id",
      objectId2: "entity_definition_2_id",
      predicate1To2: "entity_1_to_2_predicate",
      predicate2To1: "entity_2_to_1_predicate",
    },
    output: one("relationship"),
    howToFindOut: "Read nex.relationships.list: is it there?",
  },
  {
    name: "nex.relationships.delete",
    call: "DELETE /relationships/{relationshipId}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete a kind of relationship",
    description:
      "Deletes a kind of relationship permanently, with all relationships of this kind between records.",
    input: () => ({ relationshipId: id("Its id, from nex.relationships.list") }),
    output: gone("deleted", "relationshipId"),
    look: {
      call: "GET /relationships",
      find: (answer: OperationAnswer, { relationshipId }) =>
        withId(many("relationships")(answer, {}, "GET /v1/relationships").relationships, relationshipId),
      show: (found) => {
        const { type = null, entity_1_to_2_predicate: predicate = null } = found;
        return { type, predicate };
      },
    },
    howToFindOut: "Read nex.relationships.list: is it still there?",
  },
]);
