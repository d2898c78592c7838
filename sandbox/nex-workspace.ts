/** The parts of the CRM of the Nex stand-in: its state, its routes as tables, and its refusals. */

import type { SandboxClock } from "./clock.ts";
import type { HttpRequest } from "./http.ts";
import { workspaceId } from "./nex-insights.ts";
import { type ObjectDefinition, seededObjects } from "./nex-objects.ts";

export interface NexRecord {
  id: string;
  object_id: string;
  type: string;
  workspace_id: string;
  attributes: Record<string, unknown>;
  created_at: string;
  updated_at: string;
}

export interface ListDefinition extends ObjectDefinition {
  /** The kind of its records; not shown. */
  of: string;
  /** By the id of the record. */
  members: Map<string, NexRecord>;
}

export interface Relationship {
  id: string;
  type: string;
  entity_definition_1_id: string;
  entity_definition_2_id: string;
  entity_1_to_2_predicate: string;
  entity_2_to_1_predicate: string;
  created_at: string;
}

/** A relation between two records. */
export interface RelationshipInstance {
  id: string;
  definition_id: string;
  entity_1_id: string;
  entity_2_id: string;
  created_at: string;
}

export interface TimelineEvent {
  recordId: string;
  shown: Record<string, unknown>;
}

/** An invalid request; answered as Nex does. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export interface Call {
  request: HttpRequest;
  /** The path parameters of the route. */
  path: Record<string, string>;
  query: URLSearchParams;
  /** The fields of the body. @throws Refusal 400 */
  body(): Record<string, unknown>;
}

/** An answer with its own status or media type. */
export class Answer {
  readonly status: number;
  readonly value: unknown;
  readonly contentType: string;
  constructor(status: number, value: unknown, contentType = "application/json") {
    this.status = status;
    this.value = value;
    this.contentType = contentType;
  }
}

/** `METHOD /path/{name}`, the scope that the key needs, and the handler; undefined is a 200 without a body. */
export type Route = [call: string, scope: string, answer: (call: Call) => unknown];

export interface Workspace {
  clock: SandboxClock;
  objects: Map<string, ObjectDefinition>;
  records: Map<string, NexRecord>;
  lists: Map<string, ListDefinition>;
  relationships: Map<string, Relationship>;
  related: Map<string, RelationshipInstance>;
  timeline: TimelineEvent[];
  /** The ids fit no double, so a client that rounds is detected. */
  nextId(): string;
  now(): string;
  object(slug: string): ObjectDefinition;
  record(id: unknown): NexRecord;
  create(object: ObjectDefinition, attributes: Record<string, unknown>): NexRecord;
  change(record: NexRecord, attributes: Record<string, unknown>): NexRecord;
  /** Records with an attribute that contains one of the longer words of a text. */
  about(text: string): NexRecord[];
  happened(recordId: string, resource: string, id: string, event: string, payload: object): void;
}

export function openWorkspace(clock: SandboxClock): Workspace {
  let lastId = 32_710_180_831_586_561n;
  const workspace: Workspace = {
    clock,
    objects: new Map(seededObjects().map((one) => [one.slug, one])),
    records: new Map(),
    lists: new Map(),
    relationships: new Map(),
    related: new Map(),
    timeline: [],
    nextId() {
      lastId += 2n;
      return String(lastId);
    },
    now: () => new Date(clock.now()).toISOString(),
    object: (slug) => found(workspace.objects.get(slug), "Object type not found"),
    record(id) {
      if (!/^\d+$/.test(String(id))) throw new Refusal(400, "Invalid record ID");
      return found(workspace.records.get(String(id)), "Record not found");
    },
    create(object, attributes) {
      if (!attributes.name) throw new Refusal(400, "attributes.name is required");
      const at = workspace.now();
      const record: NexRecord = {
        ...{ id: workspace.nextId(), object_id: object.id, type: object.slug, workspace_id: workspaceId },
        ...{ attributes, created_at: at, updated_at: at },
      };
      workspace.records.set(record.id, record);
      workspace.happened(record.id, "entity", record.id, "created", { entity: entity(record) });
      return record;
    },
    change(record, attributes) {
      const field_changes = Object.entries(attributes).map(([field_name, new_value]) => ({
        ...{ field_name, old_value: record.attributes[field_name] ?? null, new_value },
      }));
      record.attributes = { ...record.attributes, ...attributes };
      record.updated_at = workspace.now();
      workspace.happened(record.id, "entity", record.id, "updated", {
        ...{ entity: entity(record), field_changes },
      });
      return record;
    },
    about(text) {
      const words = (text.toLowerCase().match(/\p{L}+/gu) ?? []).filter((word) => word.length > 3);
      return [...workspace.records.values()].filter(({ attributes }) => {
        const known = JSON.stringify(attributes).toLowerCase();
        return words.some((word) => known.includes(word));
      });
    },
    happened(recordId, resource_type, resource_id, event_type, event_payload) {
      workspace.timeline.push({
        recordId,
        shown: {
          ...{ id: workspace.nextId(), resource_type, resource_id, event_type, event_payload },
          ...{ event_timestamp: workspace.now(), created_by: "developer_api", is_aggregated: false },
        },
      });
    },
  };
  return workspace;
}

const entity = ({ id, object_id, type, attributes }: NexRecord) => ({
  ...{ id, definition_id: object_id, type, name: nameOf(attributes), attributes },
});

/** The name of a record in one text. */
export function nameOf({ name }: Record<string, unknown>): string {
  return typeof name === "object" && name !== null ? Object.values(name).map(String).join(" ") : String(name);
}

/** @throws Refusal 404 */
export function found<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new Refusal(404, otherwise);
  return value;
}

export function fields(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Refusal(400, `${name} must be an object`);
  return Object.fromEntries(Object.entries(value));
}

/** A required text. */
export function required(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== "string" || value === "") throw new Refusal(400, `${name} is required`);
  return value;
}

/** The given fields that are present. */
export function picked(body: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.flatMap((name) => (body[name] === undefined ? [] : [[name, body[name]]])));
}

export function oneOf(value: unknown, name: string, allowed: readonly string[]): string {
  if (typeof value !== "string" || !allowed.includes(value))
    throw new Refusal(400, `${name} must be one of ${allowed.join(", ")}`);
  return value;
}

/** An integer from a query or a body. */
export function integer(value: unknown, name: string, fallback: number, least: number, most: number): number {
  const number = value === undefined || value === null ? fallback : Number(value);
  if (!Number.isInteger(number) || number < least || number > most)
    throw new Refusal(400, `${name} must be an integer from ${least} to ${most}`);
  return number;
}

/** A limit on requests per minute; the rest are refused with the time to wait. */
export function limited(clock: SandboxClock, perMinute: number): () => void {
  let taken: number[] = [];
  return () => {
    const now = clock.now();
    taken = taken.filter((at) => at > now - 60_000);
    if (taken.length >= perMinute) {
      const waitMs = (taken[0] ?? now) + 60_000 - now;
      throw new Refusal(429, "Rate limit exceeded", { "retry-after": String(Math.ceil(waitMs / 1000)) });
    }
    taken.push(now);
  };
}
