// JSON Schema as far as the inputs of operations use it: which values a field takes, and which fields an object has.

/** The keywords that are read. Every other one is left to the daemon to check. */
export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: boolean | Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  $ref?: string;
  description?: string;
  default?: unknown;
}

export type Kind = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object" | "any";

/** A resolved schema: every form that a value may have, with references and unions expanded. */
export interface Field {
  kinds: Set<Kind>;
  /** The only values it takes, if it lists them. */
  values: unknown[] | undefined;
  /** For the elements of an array. */
  items: Schema[];
  /** The names that its objects declare. */
  names: string[];
  required: Set<string>;
  /** Whether its objects allow other names as well. */
  isOpen: boolean;
  /** The schema of the member with that name; undefined: not allowed. */
  member(name: string): Schema | undefined;
}

const KINDS = new Set<string>(["string", "number", "integer", "boolean", "null", "array", "object"]);

/** @param root where `$ref` is resolved; the schema of the whole input */
export function fieldOf(schema: Schema, root: Schema): Field {
  const forms = formsOf(schema, root, new Set());
  const kinds = new Set(forms.flatMap(kindsOf));
  const objects = forms.filter((form) => kindsOf(form).some((kind) => kind === "object" || kind === "any"));
  const names = [...new Set(objects.flatMap(({ properties }) => Object.keys(properties ?? {})))];
  const values = forms.flatMap((form) => valuesOf(form) ?? []);
  return {
    kinds,
    values: forms.every((form) => valuesOf(form)) ? values : undefined,
    items: forms.flatMap(({ items }) => (typeof items === "object" ? [items] : [])),
    names,
    required: new Set(objects.length === 1 ? (objects[0]?.required ?? []) : []),
    isOpen: objects.some(({ additionalProperties }) => additionalProperties !== false),
    member(name) {
      const found = objects.flatMap(({ properties = {} }) =>
        Object.hasOwn(properties, name) ? [properties[name] ?? {}] : [],
      );
      if (found.length === 1) return found[0];
      if (found.length > 1) return { anyOf: found };
      const open = objects.find(({ additionalProperties }) => additionalProperties !== false);
      if (!open) return undefined;
      return typeof open.additionalProperties === "object" ? open.additionalProperties : {};
    },
  };
}

/** The schema of the elements of its arrays. */
export const itemsOf = ({ items }: Field): Schema => (items.length > 1 ? { anyOf: items } : (items[0] ?? {}));

function formsOf(schema: Schema, root: Schema, seen: Set<Schema>): Schema[] {
  // A schema may contain itself.
  if (seen.has(schema)) return [];
  seen.add(schema);
  const { $ref, anyOf, oneOf, allOf } = schema;
  if ($ref !== undefined) {
    const target = resolve($ref, root);
    return target ? formsOf(target, root, seen) : [{}];
  }
  const parts = [...(anyOf ?? []), ...(oneOf ?? []), ...(allOf ?? [])];
  if (parts.length === 0) return [schema];
  const inner = parts.flatMap((part) => formsOf(part, root, seen));
  return schema.properties ? [schema, ...inner] : inner;
}

/** "#/$defs/name" and the like, the only kind of reference within a document. */
function resolve(reference: string, root: Schema): Schema | undefined {
  if (!reference.startsWith("#")) return undefined;
  let at: unknown = root;
  for (const part of reference.slice(1).split("/").filter(Boolean)) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name]; // just looked at
  }
  return typeof at === "object" && at !== null ? at : undefined;
}

const valuesOf = (form: Schema): unknown[] | undefined =>
  Object.hasOwn(form, "const") ? [form.const] : form.enum;

function kindsOf(form: Schema): Kind[] {
  const { type, properties, items } = form;
  const named = [type ?? []].flat().filter((name): name is Kind => KINDS.has(name));
  if (named.length > 0) return named;
  const values = valuesOf(form);
  if (values) return [...new Set(values.map(kindOfValue))];
  if (properties) return ["object"];
  return items ? ["array"] : ["any"];
}

const kindOfValue = (value: unknown): Kind => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return KINDS.has(type) ? (type as Kind) : "any"; // just looked at
};
