/** Lists of the Nex stand-in: collections of records, each with attributes specific to the list. */

import { page } from "./nex-records.ts";
import { define, shown } from "./nex-schema.ts";
import { fields, found, type NexRecord, Refusal, type Route, type Workspace } from "./nex-workspace.ts";

/** A member as shown: the record plus its attributes in the list. */
function put(
  workspace: Workspace,
  members: Map<string, NexRecord>,
  record: NexRecord,
  given: unknown,
): NexRecord {
  const attributes = given === undefined ? {} : fields(given, "attributes");
  const before = members.get(record.id);
  const at = workspace.now();
  const member: NexRecord = before ?? {
    ...record,
    ...{ id: workspace.nextId(), attributes: {}, created_at: at },
  };
  member.attributes = { ...record.attributes, ...member.attributes, ...attributes };
  member.updated_at = at;
  members.set(record.id, member);
  const payload = { list_item: { id: member.id, definition_id: record.object_id, parent_id: record.id } };
  workspace.happened(record.id, "list_item", member.id, before ? "updated" : "created", payload);
  return member;
}

export function listRoutes(workspace: Workspace): Route[] {
  const listOf = (id = "") => {
    if (!/^\d+$/.test(id)) throw new Refusal(400, "Invalid list ID");
    return found(workspace.lists.get(id), "List not found");
  };
  /** By the id of the record, as in the description, or of the member. */
  const memberOf = (listId = "", id = ""): [recordId: string, member: NexRecord] =>
    found(
      [...listOf(listId).members].find(([recordId, member]) => recordId === id || member.id === id),
      "Record not found in list",
    );
  const parent = (listId: string, body: Record<string, unknown>): NexRecord => {
    const record = workspace.record(body.parent_id);
    if (record.type !== listOf(listId).of) throw new Refusal(400, "the record is of another kind");
    return record;
  };
  const withAttributes = new URLSearchParams({ include_attributes: "true" });

  return [
    [
      "GET /v1/objects/{slug}/lists",
      "list.read",
      ({ path, query }) => {
        const { slug } = workspace.object(path.slug ?? "");
        const lists = [...workspace.lists.values()].filter(({ of }) => of === slug);
        return { data: lists.map((list) => shown(list, query)) };
      },
    ],
    [
      "POST /v1/objects/{slug}/lists",
      "object.write",
      ({ path, body }) => {
        const { slug } = workspace.object(path.slug ?? "");
        const made = define(workspace, body(), "list", workspace.lists.values());
        workspace.lists.set(made.id, { ...made, of: slug, members: new Map() });
        return made;
      },
    ],
    ["GET /v1/lists/{id}", "list.read", ({ path }) => shown(listOf(path.id), withAttributes)],
    ["DELETE /v1/lists/{id}", "object.write", ({ path }) => void workspace.lists.delete(listOf(path.id).id)],
    [
      "POST /v1/lists/{id}",
      "list.member.write",
      ({ path, body }) => {
        const { id, members } = listOf(path.id);
        const record = parent(id, body());
        if (members.has(record.id)) throw new Refusal(400, "Record is already in the list");
        return put(workspace, members, record, body().attributes);
      },
    ],
    [
      "PUT /v1/lists/{id}",
      "list.member.write",
      ({ path, body }) => {
        const { id, members } = listOf(path.id);
        return put(workspace, members, parent(id, body()), body().attributes);
      },
    ],
    [
      "POST /v1/lists/{id}/records",
      "list.member.read",
      ({ path, body }) => page([...listOf(path.id).members.values()], body()),
    ],
    [
      "PATCH /v1/lists/{id}/records/{record_id}",
      "list.member.write",
      ({ path, body }) => {
        const [recordId] = memberOf(path.id, path.record_id);
        return put(workspace, listOf(path.id).members, workspace.record(recordId), body().attributes);
      },
    ],
    [
      "DELETE /v1/lists/{id}/records/{record_id}",
      "record.write",
      ({ path }) => {
        const [recordId] = memberOf(path.id, path.record_id);
        listOf(path.id).members.delete(recordId);
      },
    ],
  ];
}
