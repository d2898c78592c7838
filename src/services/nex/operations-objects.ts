// The kinds of records (objects) of a Nex workspace. Their attributes are in operations-attributes.ts.

import { z } from "zod";
import { line, prose } from "../input.ts";
import { atLeastOneOf, gone, many, nexTable, objectSlug, one } from "./operation.ts";

const OBJECT = "GET /objects/{objectSlug}";

const displayName = () => line.describe("The display name");
const namePlural = () => line.optional().describe("The plural of the name");
const about = () => prose.optional().describe("What it is for");

export const objectOperations = nexTable([
  {
    name: "nex.objects.list",
    call: "GET /objects",
    effect: "read",
    title: "List kinds of records",
    description:
      "The kinds of records of the workspace (person, company, …), optionally with their attributes.",
    input: () => ({
      includeAttributes: z
        .boolean()
        .optional()
        .describe("Whether to return the attributes of each kind, too"),
    }),
    output: many("objects"),
  },
  {
    name: "nex.objects.get",
    call: OBJECT,
    effect: "read",
    title: "Show a kind of record",
    description: "One kind of record with all its attributes.",
    input: () => ({ objectSlug: objectSlug() }),
    output: one("object"),
  },
  {
    name: "nex.objects.create",
    call: "POST /objects",
    effect: "write",
    idempotent: false,
    title: "Create a kind of record",
    description: "Creates a kind of record; nex.attributes.create adds its attributes.",
    input: () => ({
      name: displayName(),
      slug: line.describe("Its name in paths and attributes"),
      namePlural: namePlural(),
      description: about(),
      type: z
        .enum(["person", "company", "custom", "deal"])
        .optional()
        .describe("What it is derived from; default: custom"),
    }),
    output: one("object"),
    howToFindOut: "Read nex.objects.get of its slug: found means that it was created.",
  },
  {
    name: "nex.objects.update",
    call: "PATCH /objects/{objectSlug}",
    effect: "write",
    idempotent: true,
    title: "Rename a kind of record",
    description: "Changes the names or the description of a kind of record. Its slug stays the same.",
    input: () => ({
      objectSlug: objectSlug(),
      name: displayName().optional(),
      namePlural: namePlural(),
      description: about(),
    }),
    rules: atLeastOneOf("name", "namePlural", "description"),
    output: one("object"),
  },
  {
    name: "nex.objects.delete",
    call: "DELETE /objects/{objectSlug}",
    effect: "write",
    idempotent: false,
    destructive: true,
    title: "Delete a kind of record",
    description:
      "Deletes a kind of record permanently, with all its records and everything that belongs to them.",
    input: () => ({ objectSlug: objectSlug() }),
    output: gone("deleted", "objectSlug"),
    look: { call: OBJECT, show: ({ id = null, name = null }) => ({ id, name }) },
    howToFindOut: "Read nex.objects.get of its slug: not found means that it is deleted.",
  },
]);
