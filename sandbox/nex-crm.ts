/** Objects, records, notes and questions of the Nex stand-in, in memory, to the vendor's OpenAPI description. */

import type { SandboxClock } from "./clock.ts";
import { type HttpRequest, json, type Reply } from "./http.ts";
import { workspaceId } from "./nex-insights.ts";
import { type ObjectDefinition, objects } from "./nex-objects.ts";

interface NexRecord {
  id: string;
  object_id: string;
  type: string;
  workspace_id: string;
  attributes: Record<string, unknown>;
  created_at: string;
  updated_at: string;
}

interface Note {
  id: string;
  title: string;
  content?: string;
  entity_id?: string;
  created_by: string;
  created_at: string;
  archived_at?: string;
}

/** What each endpoint asks of the key. */
export const crmScopes = ["object.read", "record.read", "record.write", "note.read", "note.write"];

/** Something that a request asked for wrongly; answered as Nex does. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Route = (request: HttpRequest, id: string) => unknown;

export interface Crm {
  /** Answers a request for `path`, which is what follows `/api/developers`; undefined where it is none of these. */
  handle(request: HttpRequest, path: string, scopes: string[]): Reply | undefined;
  state(): { records: NexRecord[]; notes: Note[] };
}

export function openCrm(clock: SandboxClock): Crm {
  const records = new Map<string, NexRecord>();
  const notes = new Map<string, Note>();
  // No double comes near enough to print these, so that a client that rounds is found out.
  let lastId = 32_710_180_831_586_561n;
  const nextId = () => {
    lastId += 2n;
    return String(lastId);
  };
  const now = () => new Date(clock.now()).toISOString();

  function objectOf(slug: string): ObjectDefinition {
    const found = objects.find((one) => one.slug === slug);
    if (found === undefined) throw new Refusal(404, "Object type not found");
    return found;
  }

  function recordOf(id: string): NexRecord {
    if (!/^\d+$/.test(id)) throw new Refusal(400, "Invalid record ID");
    const found = records.get(id);
    if (found === undefined) throw new Refusal(404, "Record not found");
    return found;
  }

  function noteOf(id: string): Note {
    const found = notes.get(id);
    if (found === undefined) throw new Refusal(404, "Note not found");
    return found;
  }

  function create(object: ObjectDefinition, attributes: Record<string, unknown>): NexRecord {
    if (!attributes.name) throw new Refusal(400, "attributes.name is required");
    const at = now();
    const record: NexRecord = {
      ...{ id: nextId(), object_id: object.id, type: object.slug, workspace_id: workspaceId },
      ...{ attributes, created_at: at, updated_at: at },
    };
    records.set(record.id, record);
    return record;
  }

  function change(record: NexRecord, attributes: Record<string, unknown>): NexRecord {
    record.attributes = { ...record.attributes, ...attributes };
    record.updated_at = now();
    return record;
  }

  function upsert(request: HttpRequest, slug: string): NexRecord {
    const object = objectOf(slug);
    const { matching_attribute, attributes: given } = body(request);
    const attributes = fields(given, "attributes");
    const matching = object.attributes.find(
      (one) => one.slug === matching_attribute || one.id === matching_attribute,
    );
    if (matching === undefined)
      throw new Refusal(400, "matching_attribute is not an attribute of the object");
    const wanted = JSON.stringify(attributes[matching.slug]);
    if (wanted === undefined) throw new Refusal(400, `attributes.${matching.slug} is required`);
    const found = [...records.values()].find(
      (one) => one.object_id === object.id && JSON.stringify(one.attributes[matching.slug]) === wanted,
    );
    return found === undefined ? create(object, attributes) : change(found, attributes);
  }

  function listRecords(request: HttpRequest, slug: string) {
    const object = objectOf(slug);
    const { limit = 50, offset = 0 } = body(request);
    if (typeof limit !== "number" || typeof offset !== "number")
      throw new Refusal(400, "limit and offset must be integers");
    const all = [...records.values()].filter((one) => one.object_id === object.id);
    return { data: all.slice(offset, offset + limit), total: all.length, limit, offset };
  }

  function createNote(request: HttpRequest): Note {
    const { title, content, entity_id } = body(request);
    if (typeof title !== "string" || title === "") throw new Refusal(400, "title is required");
    if (typeof entity_id === "string") recordOf(entity_id);
    const note: Note = {
      id: nextId(),
      title,
      ...(typeof content === "string" && { content }),
      ...(typeof entity_id === "string" && { entity_id }),
      created_by: "developer_api",
      created_at: now(),
    };
    notes.set(note.id, note);
    return note;
  }

  function ask(request: HttpRequest) {
    const { query } = body(request);
    if (typeof query !== "string" || query === "") throw new Refusal(400, "query is required");
    const words = query.toLowerCase().match(/\p{L}+/gu) ?? [];
    const considered = [...records.values()].filter((record) => {
      const text = JSON.stringify(record.attributes).toLowerCase();
      return words.some((word) => word.length > 3 && text.includes(word));
    });
    return {
      answer: `Nex knows ${considered.length} records that have to do with this.`,
      entities_considered: considered.map((record) => ({
        // A bare integer here, unlike in the record itself.
        ...{ id: JSON.rawJSON(record.id), name: record.attributes.name, type: record.type.toUpperCase() },
        ...{ reason: "Named in the question", insights_matched: 0, score: 0.9 },
      })),
      signals_used: [],
      metadata: {
        query_type: considered.length > 0 ? "entity_specific" : "workspace_wide",
        total_entities_searched: records.size,
        confidence: 0.8,
      },
    };
  }

  const routes: [method: string, path: RegExp, scope: string, route: Route][] = [
    ["GET", /^\/v1\/objects$/, "object.read", ({ url }) => ({ data: objects.map((one) => shown(one, url)) })],
    ["GET", /^\/v1\/objects\/([^/]+)$/, "object.read", (_, slug) => objectOf(slug)],
    [
      "POST",
      /^\/v1\/objects\/([^/]+)$/,
      "record.write",
      (request, slug) => create(objectOf(slug), fields(body(request).attributes, "attributes")),
    ],
    ["PUT", /^\/v1\/objects\/([^/]+)$/, "record.write", upsert],
    ["POST", /^\/v1\/objects\/([^/]+)\/records$/, "record.read", listRecords],
    ["GET", /^\/v1\/records\/([^/]+)$/, "record.read", (_, id) => recordOf(id)],
    [
      "PATCH",
      /^\/v1\/records\/([^/]+)$/,
      "record.write",
      (request, id) => change(recordOf(id), fields(body(request).attributes, "attributes")),
    ],
    ["DELETE", /^\/v1\/records\/([^/]+)$/, "record.write", (_, id) => void records.delete(recordOf(id).id)],
    ["POST", /^\/v1\/notes$/, "note.write", createNote],
    [
      "GET",
      /^\/v1\/notes$/,
      "note.read",
      ({ url }) => {
        const of = url.searchParams.get("entity_id");
        return {
          data: [...notes.values()].filter((note) => of === null || note.entity_id === of).slice(0, 200),
        };
      },
    ],
    ["GET", /^\/v1\/notes\/([^/]+)$/, "note.read", (_, id) => noteOf(id)],
    [
      "DELETE",
      /^\/v1\/notes\/([^/]+)$/,
      "note.write",
      (_, id) => {
        noteOf(id).archived_at = now();
      },
    ],
    ["POST", /^\/v1\/context\/ask$/, "record.read", ask],
  ];

  return {
    handle(request, path, scopes) {
      for (const [method, pattern, scope, route] of routes) {
        const match = request.method === method ? pattern.exec(path) : null;
        if (match === null) continue;
        if (!scopes.includes(scope)) return refused(403, `API key is missing scope ${scope}`);
        try {
          const answer = route(request, decodeURIComponent(match[1] ?? ""));
          // A delete is answered by 200 and nothing.
          return answer === undefined ? { status: 200, body: "" } : json(200, answer);
        } catch (thrown) {
          if (thrown instanceof Refusal) return refused(thrown.status, thrown.message);
          throw thrown;
        }
      }
      return undefined;
    },
    state: () => ({ records: [...records.values()], notes: [...notes.values()] }),
  };
}

function shown(object: ObjectDefinition, url: URL): Partial<ObjectDefinition> {
  if (url.searchParams.get("include_attributes") === "true") return object;
  const { attributes: _, ...rest } = object;
  return rest;
}

function refused(code: number, message: string): Reply {
  return json(code, { code, message });
}

/** The body's fields. Integers that a double cannot hold keep their digits, and are printed again as they came. */
function body(request: HttpRequest): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(request.body, (_key, part, { source = "" }) =>
      typeof part === "number" && !Number.isSafeInteger(part) && /^-?\d+$/.test(source)
        ? JSON.rawJSON(source)
        : part,
    );
  } catch {
    throw new Refusal(400, "Request body is not valid JSON");
  }
  return fields(value, "the body");
}

function fields(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Refusal(400, `${name} must be an object`);
  return Object.fromEntries(Object.entries(value));
}
