// What Nex can be asked to do, to its OpenAPI description; its answers are given on as they are.

import { z } from "zod";
import { HttpError } from "../../http/errors.ts";
import { fieldsOf, freeForm, line, opaqueId, present, prose, segment } from "../input.ts";
import { defineOperation, type Facts, type OperationAnswer, type OperationRequest } from "../operation.ts";
import { LIST_LIMIT, PREFIX } from "./client.ts";
import { readInsights } from "./insights.ts";

const objectSlug = opaqueId.describe("The kind of record by its slug, such as person or company");
const recordId = opaqueId.describe("The id of the record");

const nexRequest = (
  facts: Facts,
  method: OperationRequest["method"],
  path: string,
  label: string,
  json?: unknown,
): OperationRequest => ({
  method,
  origin: facts.origins.nex,
  path: `${PREFIX}${path}`,
  label: `${method} ${label}`,
  ...(json === undefined ? {} : { json }),
  credential: { kind: "nex" },
});

const getRecordRequest = (facts: Facts, id: string) =>
  nexRequest(facts, "GET", `/records/${segment(id)}`, "/v1/records/:id");

/** One resource; wrapped in `data` in some answers of Nex. */
const resource = ({ body }: OperationAnswer): unknown => {
  const { data, ...rest } = fieldsOf(body);
  return data !== undefined && Object.keys(rest).length === 0 ? data : (body ?? null);
};

/** A list, in every wrapping that Nex is seen to use. */
const list = ({ status, body }: OperationAnswer, label: string): unknown[] => {
  const items = Array.isArray(body) ? body : fieldsOf(body).data;
  if (Array.isArray(items)) return items;
  throw unknownShape(status, label);
};

const unknownShape = (status: number, label: string) =>
  new HttpError({
    kind: "invalid_body",
    service: "nex",
    label,
    status,
    code: "unexpected_shape",
    message: `nex: ${label} answered ${status} in a shape that is not known`,
    retryable: false,
    maybeSent: true,
  });

const listObjects = defineOperation({
  name: "nex.objects.list",
  service: "nex",
  effect: "read",
  idempotent: true,
  title: "List kinds of records",
  description:
    "The kinds of records of the workspace (person, company, …), on request with their attributes.",
  input: z.lazy(() =>
    z.strictObject({
      includeAttributes: z.boolean().optional().describe("Whether to list the attributes of each kind too"),
    }),
  ),
  request: ({ includeAttributes }, facts) =>
    nexRequest(facts, "GET", `/objects${includeAttributes ? "?include_attributes=true" : ""}`, "/v1/objects"),
  output: (answer) => ({ objects: list(answer, "GET /v1/objects") }),
});

const getRecord = defineOperation({
  name: "nex.records.get",
  service: "nex",
  effect: "read",
  idempotent: true,
  title: "Show a record",
  description: "One record with all its attributes.",
  input: z.lazy(() => z.strictObject({ recordId })),
  request: (input, facts) => getRecordRequest(facts, input.recordId),
  output: (answer) => ({ record: resource(answer) }),
});

const ask = defineOperation({
  name: "nex.context.ask",
  service: "nex",
  effect: "read",
  idempotent: true,
  title: "Ask about people, companies and deals",
  description: "An answer in words from everything that Nex knows. It takes up to a minute.",
  input: z.lazy(() => z.strictObject({ query: prose.describe("The question, in natural language") })),
  request: ({ query }, facts) => nexRequest(facts, "POST", "/context/ask", "/v1/context/ask", { query }),
  output: ({ body }) => body ?? null,
});

const wholeSeconds = z.iso.datetime({ precision: 0 });

const listInsights = defineOperation({
  name: "nex.insights.list",
  service: "nex",
  effect: "read",
  idempotent: true,
  title: "List insights",
  description:
    "The insights of a stretch of time, by default the latest. Those that nexusd has seen itself are in its log.",
  input: z.lazy(() =>
    z
      .strictObject({
        last: z
          .string()
          .regex(/^(?!0+[hm])(?:\d{1,4}h)?(?:\d{1,4}m)?$/, "must be hours and minutes, such as 90m or 1h30m")
          .min(2)
          .optional()
          .describe("The stretch up to now, in hours and minutes: 30m, 2h, 1h30m"),
        from: wholeSeconds.optional().describe("The start of the stretch, UTC, in whole seconds; with `to`"),
        to: wholeSeconds.optional().describe("The end of the stretch, UTC, in whole seconds; with `from`"),
        limit: z.int().min(1).max(LIST_LIMIT).default(20).describe("The most insights to give"),
      })
      .refine(({ from, to }) => (from === undefined) === (to === undefined), {
        path: ["to"],
        message: "from and to belong together",
      })
      .refine(({ last, from }) => last === undefined || from === undefined, {
        path: ["last"],
        message: "cannot be combined with from and to",
      })
      .refine(
        ({ from, to }) => from === undefined || to === undefined || Date.parse(from) <= Date.parse(to),
        {
          path: ["from"],
          message: "must not be after to",
        },
      ),
  ),
  request: ({ last, from, to, limit }, facts) => {
    const query = new URLSearchParams(present({ last, from, to, limit: String(limit) }));
    return nexRequest(facts, "GET", `/insights?${query}`, "/v1/insights");
  },
  output: ({ status, body }) => {
    const batch = readInsights(body);
    if (!batch) throw unknownShape(status, "GET /v1/insights");
    return batch;
  },
});

const name = z
  .union([z.string().min(1), z.record(z.string(), z.unknown())])
  .describe("A text, or an object such as {first_name, last_name}");
const attributesHint = "The attributes by their slugs, as nex.objects.list has them";

const createRecord = defineOperation({
  name: "nex.records.create",
  service: "nex",
  effect: "write",
  idempotent: false,
  title: "Create a record",
  description: "A new record, even where there is one like it: nex.records.upsert looks for that first.",
  input: z.lazy(() =>
    z.strictObject({
      objectSlug,
      attributes: freeForm(z.looseObject({ name })).describe(attributesHint),
    }),
  ),
  request: ({ objectSlug, attributes }, facts) =>
    nexRequest(facts, "POST", `/objects/${segment(objectSlug)}`, "/v1/objects/:slug", { attributes }),
  output: (answer) => ({ record: resource(answer) }),
  target: ({ objectSlug }) => `nex/objects/${objectSlug}`,
  howToFindOut: "Ask nex.context.ask, or look in Nex: is there a record with this name?",
});

const upsertRecord = defineOperation({
  name: "nex.records.upsert",
  service: "nex",
  effect: "write",
  idempotent: true,
  title: "Create or update a record",
  description: "Updates the record that agrees in one attribute, or creates it where there is none.",
  input: z.lazy(() =>
    z.strictObject({
      objectSlug,
      matchingAttribute: line.describe("The slug or id of the attribute by which the record is recognised"),
      attributes: freeForm(z.looseObject({ name: name.optional() })).describe(
        `${attributesHint}; a new record needs a name`,
      ),
    }),
  ),
  request: ({ objectSlug, matchingAttribute, attributes }, facts) =>
    nexRequest(facts, "PUT", `/objects/${segment(objectSlug)}`, "/v1/objects/:slug", {
      matching_attribute: matchingAttribute,
      attributes,
    }),
  output: (answer) => ({ record: resource(answer) }),
  target: ({ objectSlug }) => `nex/objects/${objectSlug}`,
});

const deleteRecord = defineOperation({
  name: "nex.records.delete",
  service: "nex",
  effect: "write",
  // A second DELETE answers 404, which does not say whether the first one did it: it is read back instead.
  idempotent: false,
  destructive: true,
  title: "Delete a record",
  description: "Deletes a record for good.",
  input: z.lazy(() => z.strictObject({ recordId })),
  request: (input, facts) =>
    nexRequest(facts, "DELETE", `/records/${segment(input.recordId)}`, "/v1/records/:id"),
  output: (_, input) => ({ deleted: input.recordId }),
  target: (input) => `nex/records/${input.recordId}`,
  // What it is that goes. Its other attributes change by themselves, as Nex learns.
  precondition: async (input, facts, read) => {
    const { type, attributes } = fieldsOf(resource(await read(getRecordRequest(facts, input.recordId))));
    return { type: type ?? null, name: fieldsOf(attributes).name ?? null };
  },
  readBack: async (input, facts, read) => {
    try {
      await read(getRecordRequest(facts, input.recordId));
      return { kind: "not_found" };
    } catch (error) {
      if (error instanceof HttpError && error.status === 404)
        return { kind: "done", output: { deleted: input.recordId } };
      throw error;
    }
  },
  howToFindOut: "Read nex.records.get of the record: not found means that it is deleted.",
});

const createNote = defineOperation({
  name: "nex.notes.create",
  service: "nex",
  effect: "write",
  idempotent: false,
  title: "Create a note",
  description: "A new note, on its own or at a record.",
  input: z.lazy(() =>
    z.strictObject({
      title: line.describe("The title of the note"),
      content: prose.optional().describe("What it says"),
      recordId: recordId.optional().describe("The id of the record that it belongs to"),
    }),
  ),
  request: ({ title, content, recordId }, facts) =>
    nexRequest(facts, "POST", "/notes", "/v1/notes", present({ title, content, entity_id: recordId })),
  output: (answer) => ({ note: resource(answer) }),
  howToFindOut: "Look in Nex: is there a note with this title?",
});

export const nexOperations = [
  listObjects,
  getRecord,
  ask,
  listInsights,
  createRecord,
  upsertRecord,
  deleteRecord,
  createNote,
] as const;
