/** Kinds of records, their attributes, and the kinds of relationships of the Nex stand-in. */

import type { AttributeDefinition, ObjectDefinition } from "./nex-objects.ts";
import {
  fields,
  found,
  oneOf,
  picked,
  Refusal,
  type Relationship,
  type Route,
  required,
  type Workspace,
} from "./nex-workspace.ts";

const attributeTypes = [
  ...["text", "number", "email", "phone", "url", "date", "boolean", "currency", "location", "select"],
  ...["social_profile", "domain", "full_name"],
];
const flags = ["is_required", "is_unique", "is_multi_value", "use_raw_format", "is_whole_number"];

/** Without its attributes, unless they are requested. */
export function shown(definition: ObjectDefinition, query: URLSearchParams): Partial<ObjectDefinition> {
  const { id, slug, name, name_plural, type, description, created_at, attributes } = definition;
  const rest = { id, slug, name, name_plural, type, description, created_at };
  return query.get("include_attributes") === "true" ? { ...rest, attributes } : rest;
}

/** A new kind of record or list; the slug must be free. */
export function define(
  workspace: Workspace,
  body: Record<string, unknown>,
  type: string,
  taken: Iterable<{ slug: string }>,
): ObjectDefinition {
  const name = required(body, "name");
  const slug = required(body, "slug");
  for (const other of taken) if (other.slug === slug) throw new Refusal(400, `slug ${slug} is taken`);
  return {
    ...{ id: workspace.nextId(), slug, name, name_plural: String(body.name_plural ?? `${name}s`), type },
    ...{ description: String(body.description ?? ""), created_at: workspace.now() },
    attributes: [
      attribute(workspace, { name: "Name", slug: "name", type: "text", options: { is_required: true } }),
    ],
  };
}

function attribute(workspace: Workspace, body: Record<string, unknown>): AttributeDefinition {
  const type = oneOf(body.type, "type", attributeTypes);
  const given = body.options === undefined ? {} : fields(body.options, "options");
  return {
    ...{ id: workspace.nextId(), slug: required(body, "slug"), name: required(body, "name"), type },
    description: String(body.description ?? ""),
    options: options(workspace, {}, given),
  };
}

function options(workspace: Workspace, before: Record<string, unknown>, given: Record<string, unknown>) {
  const chosen = Array.isArray(given.select_options)
    ? given.select_options.map((option) => {
        const { id, name } = fields(option, "select_options");
        return { id: String(id ?? workspace.nextId()), name: String(name) };
      })
    : undefined;
  return { ...before, ...picked(given, flags), ...(chosen && { select_options: chosen }) };
}

export function schemaRoutes(workspace: Workspace): Route[] {
  const { relationships } = workspace;
  const attributeOf = (slug = "", id = "") =>
    found(
      workspace.object(slug).attributes.find((one) => one.id === id),
      "Attribute not found",
    );

  return [
    [
      "GET /v1/objects",
      "object.read",
      ({ query }) => ({ data: [...workspace.objects.values()].map((one) => shown(one, query)) }),
    ],
    ["GET /v1/objects/{slug}", "object.read", ({ path }) => workspace.object(path.slug ?? "")],
    [
      "POST /v1/objects",
      "object.write",
      ({ body }) => {
        const { type = "custom" } = body();
        const checked = oneOf(type, "type", ["person", "company", "custom", "deal"]);
        const object = define(workspace, body(), checked, workspace.objects.values());
        workspace.objects.set(object.slug, object);
        return object;
      },
    ],
    [
      "PATCH /v1/objects/{slug}",
      "object.write",
      ({ path, body }) =>
        Object.assign(
          workspace.object(path.slug ?? ""),
          picked(body(), ["name", "name_plural", "description"]),
        ),
    ],
    [
      "DELETE /v1/objects/{slug}",
      "object.write",
      ({ path }) => {
        const { slug } = workspace.object(path.slug ?? "");
        for (const { id, type } of workspace.records.values())
          if (type === slug) workspace.records.delete(id);
        for (const { id, of } of workspace.lists.values()) if (of === slug) workspace.lists.delete(id);
        workspace.objects.delete(slug);
      },
    ],
    [
      "POST /v1/objects/{slug}/attributes",
      "object.write",
      ({ path, body }) => {
        const object = workspace.object(path.slug ?? "");
        const made = attribute(workspace, body());
        if (object.attributes.some(({ slug }) => slug === made.slug))
          throw new Refusal(400, `slug ${made.slug} is taken`);
        object.attributes.push(made);
        return made;
      },
    ],
    [
      "PATCH /v1/objects/{slug}/attributes/{attr_id}",
      "object.write",
      ({ path, body }) => {
        const changed = attributeOf(path.slug, path.attr_id);
        const given = body().options;
        return Object.assign(changed, picked(body(), ["name", "description"]), {
          options: options(workspace, changed.options, given === undefined ? {} : fields(given, "options")),
        });
      },
    ],
    [
      "DELETE /v1/objects/{slug}/attributes/{attr_id}",
      "object.write",
      ({ path }) => {
        const { id, slug } = attributeOf(path.slug, path.attr_id);
        const object = workspace.object(path.slug ?? "");
        object.attributes = object.attributes.filter((one) => one.id !== id);
        for (const record of workspace.records.values())
          if (record.type === object.slug) delete record.attributes[slug];
      },
    ],
    ["GET /v1/relationships", "relationship.read", () => ({ data: [...relationships.values()] })],
    [
      "POST /v1/relationships",
      "relationship.write",
      ({ body }) => {
        const given = body();
        for (const side of ["entity_definition_1_id", "entity_definition_2_id"]) {
          const id = required(given, side);
          found(
            [...workspace.objects.values()].find((one) => one.id === id),
            `${side} is no object`,
          );
        }
        const made: Relationship = {
          id: workspace.nextId(),
          type: oneOf(given.type, "type", ["one_to_one", "one_to_many", "many_to_many"]),
          entity_definition_1_id: String(given.entity_definition_1_id),
          entity_definition_2_id: String(given.entity_definition_2_id),
          entity_1_to_2_predicate: String(given.entity_1_to_2_predicate ?? ""),
          entity_2_to_1_predicate: String(given.entity_2_to_1_predicate ?? ""),
          created_at: workspace.now(),
        };
        relationships.set(made.id, made);
        return made;
      },
    ],
    [
      "DELETE /v1/relationships/{id}",
      "relationship.write",
      ({ path }) => {
        relationships.delete(found(relationships.get(path.id ?? ""), "Relationship not found").id);
      },
    ],
  ];
}
