// The problems of a configuration, worded as what would be right.

import { z } from "zod";
import { isObject } from "../core/is-object.ts";
import { scrubShapes, short } from "../core/redaction.ts";
import { secretRef } from "../core/settings.ts";
import { nearest } from "../core/text/nearest.ts";
import { configSchema } from "./schema.ts";

export type TomlPath = readonly (string | number)[];

/** `["messaging", "sessions", 0, "id"]` as `messaging.sessions[0].id`. */
export const formatPath = (path: TomlPath): string =>
  path
    .map((part, index) => {
      if (typeof part === "number") return `[${part}]`;
      const key = /^[A-Za-z0-9_-]+$/.test(part) ? part : JSON.stringify(part);
      return index === 0 ? key : `.${key}`;
    })
    .join("");

const MAX_SHOWN = 80;

const asToml = (value: unknown): string => {
  if (typeof value === "string")
    return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
  if (typeof value === "number") return String(value).replace("Infinity", "inf").replace("NaN", "nan");
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "a date" : value.toISOString();
  if (Array.isArray(value)) return value.length === 0 ? "[]" : "[ … ]";
  return typeof value === "object" ? "{ … }" : String(value);
};

/** An address without its possibly secret parts: user, password, path, query. */
const asOrigin = (text: string): string => {
  const [, scheme = "", host = "", rest = ""] = /^([a-z]+:\/\/)?(?:.*@)?([^/?#]*)(.*)$/is.exec(text) ?? [];
  // Text after a colon that is not a port may be a password whose @ was lost.
  const named = /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.test(host) ? host : host.replace(/:.*$/s, ":…");
  return `${scheme}${text.includes("@") ? "…@" : ""}${named}${rest === "" || rest === "/" ? rest : "/…"}`;
};

/** The value at a path as it may be shown; undefined: it may not. */
export function shownValue(path: TomlPath, value: unknown): string | undefined {
  if (value === undefined || path.some((_, index) => isSecret(path.slice(0, index + 1)))) return undefined;
  if (typeof value !== "string") return asToml(value);
  const key = path.at(-1);
  if (key === "base_url" || key === "url" || path.at(-2) === "servers") return asToml(asOrigin(value));
  return asToml(key === "id" ? short(value) : scrubShapes(value));
}

const isSecret = (path: TomlPath) => schemaAt(path) === secretRef;

/** The schema at a path, without its default; undefined if the path leaves the schema. */
export function schemaAt(path: TomlPath): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = unwrap(configSchema);
  for (const part of path) {
    if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part)) schema = schema.shape[part];
    else if (schema instanceof z.ZodDiscriminatedUnion) schema = alternatives(schema)[part];
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else return undefined;
    schema = schema && unwrap(schema);
  }
  return schema;
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return unwrap(schema.unwrap());
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema;
}

/** The keys of all possible tables, the first definition of each winning; only those of its kind if `value` has one. */
function alternatives(union: z.ZodDiscriminatedUnion, value?: unknown): z.core.$ZodShape {
  const { discriminator } = union.def;
  const tag = isObject(value) ? value[discriminator] : undefined;
  const shapes = union.options
    .map(unwrap)
    .flatMap((option) => (option instanceof z.ZodObject ? [option.shape] : []));
  const meant = shapes.filter(({ [discriminator]: kind }) => kind && z.safeParse(kind, tag).success);
  return Object.assign({}, ...(meant.length > 0 ? meant : shapes).reverse());
}

/** The keys of the table at `parent`. @param value of that table, if it may be one of several kinds */
export function keysAt(parent: TomlPath, value?: unknown): string[] {
  const schema = schemaAt(parent);
  if (schema instanceof z.ZodDiscriminatedUnion) return Object.keys(alternatives(schema, value));
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

/** Whether the table at `parent` has such a key. */
export const isKnownKey = (parent: TomlPath, key: string): boolean => keysAt(parent).includes(key);

/** The message for a key that the table at `parent` does not have. @param value of that table */
export function unknownKey(parent: TomlPath, key: string, value?: unknown): string {
  const known = keysAt(parent, value);
  const [meant] = nearest(key, known);
  const hint = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean "${meant}"?`;
  return `is not a known key: ${hint}`;
}
