/** Records of the Nex stand-in: creating, finding, changing and relating them, and their history. */

import {
  Answer,
  fields,
  found,
  integer,
  type NexRecord,
  nameOf,
  oneOf,
  Refusal,
  type Route,
  required,
  type Workspace,
} from "./nex-workspace.ts";

/** One page of records, as the body requests it: which attributes, how many, from where, in which order. */
export function page(records: NexRecord[], body: Record<string, unknown>) {
  const limit = integer(body.limit, "limit", 50, 1, 1000);
  const offset = integer(body.offset, "offset", 0, 0, Number.MAX_SAFE_INTEGER);
  const sorted = body.sort === undefined ? records : sort(records, fields(body.sort, "sort"));
  const data = sorted.slice(offset, offset + limit).map((record) => withAttributes(record, body.attributes));
  return { data, total: records.length, limit, offset };
}

function sort(records: NexRecord[], { attribute, direction = "asc" }: Record<string, unknown>): NexRecord[] {
  const way = oneOf(direction, "sort.direction", ["asc", "desc"]) === "asc" ? 1 : -1;
  const key = (record: NexRecord) =>
    attribute === "created_at" || attribute === "updated_at"
      ? record[attribute]
      : (JSON.stringify(record.attributes[String(attribute)]) ?? "");
  return records.toSorted((a, b) => (key(a) < key(b) ? -way : key(a) > key(b) ? way : 0));
}

function withAttributes(record: NexRecord, wanted: unknown = "all"): NexRecord {
  if (typeof wanted === "string") {
    const mode = oneOf(wanted, "attributes", ["all", "primary", "none"]);
    if (mode === "all") return record;
    return { ...record, attributes: mode === "none" ? {} : { name: record.attributes.name } };
  }
  const { mode, slugs } = fields(wanted, "attributes");
  if (mode !== "custom" || !Array.isArray(slugs)) throw new Refusal(400, "attributes.slugs is required");
  const chosen = Object.entries(record.attributes).filter(([slug]) => slugs.includes(slug));
  return { ...record, attributes: Object.fromEntries(chosen) };
}

function upsert(workspace: Workspace, slug: string, body: Record<string, unknown>): NexRecord {
  const object = workspace.object(slug);
  const attributes = fields(body.attributes, "attributes");
  const matching = object.attributes.find(
    (one) => one.slug === body.matching_attribute || one.id === body.matching_attribute,
  );
  if (matching === undefined) throw new Refusal(400, "matching_attribute is not an attribute of the object");
  const wanted = JSON.stringify(attributes[matching.slug]);
  if (wanted === undefined) throw new Refusal(400, `attributes.${matching.slug} is required`);
  const known = [...workspace.records.values()].find(
    (one) => one.object_id === object.id && JSON.stringify(one.attributes[matching.slug]) === wanted,
  );
  return known === undefined ? workspace.create(object, attributes) : workspace.change(known, attributes);
}

function remove(workspace: Workspace, { id }: NexRecord): void {
  workspace.records.delete(id);
  for (const { members } of workspace.lists.values()) members.delete(id);
  for (const one of workspace.related.values())
    if (one.entity_1_id === id || one.entity_2_id === id) workspace.related.delete(one.id);
}

function search(workspace: Workspace, query: string) {
  const wanted = query.toLowerCase();
  const results: Record<string, unknown[]> = {};
  for (const { id, type, object_id, attributes } of workspace.records.values()) {
    const matched = [
      nameOf(attributes),
      ...Object.values(attributes).filter((one) => typeof one === "string"),
    ]
      .map(String)
      .find((text) => text.toLowerCase().includes(wanted));
    if (matched === undefined) continue;
    const score = matched.toLowerCase() === wanted ? 1 : 0.7;
    const hit = { id, primary_value: nameOf(attributes), matched_value: matched, score };
    results[type] = [...(results[type] ?? []), { ...hit, entity_definition_id: object_id }];
  }
  return { results, errored_search_types: [] };
}

function graph(workspace: Workspace, limit: number) {
  const records = [...workspace.records.values()].slice(0, limit);
  const edges = [...workspace.related.values()].map((one) => ({
    ...{ id: one.id, source: one.entity_1_id, target: one.entity_2_id, definition_id: one.definition_id },
    label: workspace.relationships.get(one.definition_id)?.entity_1_to_2_predicate ?? "",
  }));
  return {
    nodes: records.map(({ id, type, attributes, created_at }) => ({
      ...{ id, name: nameOf(attributes), type, definition_slug: type },
      ...{ primary_attribute: nameOf(attributes), created_at },
    })),
    edges,
    relationship_definitions: [...workspace.relationships.values()].map((one) => ({
      ...{ id: one.id, name: one.entity_1_to_2_predicate },
      ...{ entity_1_to_2: one.entity_1_to_2_predicate, entity_2_to_1: one.entity_2_to_1_predicate },
    })),
    ...{ context_edges: [], insight_nodes: [], insights: {} },
    ...{ total_nodes: records.length, total_edges: edges.length, total_context_edges: 0 },
  };
}

export function recordRoutes(workspace: Workspace): Route[] {
  return [
    [
      "POST /v1/objects/{slug}",
      "record.write",
      ({ path, body }) =>
        workspace.create(workspace.object(path.slug ?? ""), fields(body().attributes, "attributes")),
    ],
    [
      "PUT /v1/objects/{slug}",
      "record.write",
      ({ path, body }) => upsert(workspace, path.slug ?? "", body()),
    ],
    [
      "POST /v1/objects/{slug}/records",
      "record.read",
      ({ path, body }) => {
        const { id } = workspace.object(path.slug ?? "");
        const all = [...workspace.records.values()];
        return page(
          all.filter((one) => one.object_id === id),
          body(),
        );
      },
    ],
    ["GET /v1/records/{record_id}", "record.read", ({ path }) => workspace.record(path.record_id)],
    [
      "PATCH /v1/records/{record_id}",
      "record.write",
      ({ path, body }) =>
        workspace.change(workspace.record(path.record_id), fields(body().attributes, "attributes")),
    ],
    [
      "DELETE /v1/records/{record_id}",
      "record.write",
      ({ path }) => remove(workspace, workspace.record(path.record_id)),
    ],
    [
      "GET /v1/records/{record_id}/timeline",
      "record.read",
      ({ path, query }) => {
        const { id } = workspace.record(path.record_id);
        const limit = integer(query.get("limit"), "limit", 50, 1, 100);
        const from = integer(query.get("cursor"), "cursor", 0, 0, Number.MAX_SAFE_INTEGER);
        const all = workspace.timeline.filter(({ recordId }) => recordId === id).toReversed();
        const data = all.slice(from, from + limit).map(({ shown }) => shown);
        const has_next_page = from + limit < all.length;
        return { data, has_next_page, ...(has_next_page && { next_cursor: String(from + limit) }) };
      },
    ],
    [
      "POST /v1/records/{record_id}/relationships",
      "relationship.write",
      ({ path, body }) => {
        const { id } = workspace.record(path.record_id);
        const given = body();
        const kind = found(
          workspace.relationships.get(required(given, "definition_id")),
          "Relationship not found",
        );
        const [one, other] = [given.entity_1_id, given.entity_2_id].map((side) => workspace.record(side).id);
        if (one === undefined || other === undefined || (one !== id && other !== id))
          throw new Refusal(400, "the record must be one of the two");
        const made = {
          ...{ id: workspace.nextId(), definition_id: kind.id, entity_1_id: one, entity_2_id: other },
          created_at: workspace.now(),
        };
        workspace.related.set(made.id, made);
        return made;
      },
    ],
    [
      "DELETE /v1/records/{record_id}/relationships/{rel_id}",
      "relationship.write",
      ({ path }) => {
        const { id } = workspace.record(path.record_id);
        const known = found(workspace.related.get(path.rel_id ?? ""), "Relationship not found");
        if (known.entity_1_id !== id && known.entity_2_id !== id)
          throw new Refusal(404, "Relationship not found");
        workspace.related.delete(known.id);
      },
    ],
    [
      "POST /v1/search",
      "record.read",
      ({ body }) => {
        const query = required(body(), "query");
        if (query.length > 500) throw new Refusal(400, "query must be at most 500 characters");
        return search(workspace, query);
      },
    ],
    [
      "GET /v1/graph",
      "record.read",
      ({ query, request }) => {
        const made = graph(workspace, integer(query.get("limit"), "limit", 1000, 1, 5000));
        const isPage = query.get("format") === "html" || request.header("accept") === "text/html";
        return isPage
          ? new Answer(200, `<html><body>${made.total_nodes} records</body></html>`, "text/html")
          : made;
      },
    ],
  ];
}
