// JSON Schema as a table of fields, for the generated pages.

/** The parts of JSON Schema that inputs and events use. */
export interface Schema {
  type?: string | string[];
  format?: string;
  description?: string;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  items?: Schema;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
}

/** One row for a field; those of an object in it follow, by their path. `needed` is the word for what is never left out. */
export const fieldRows = (
  { properties = {}, required: names = [] }: Schema,
  needed = "required",
  prefix = "",
): string[][] =>
  Object.entries(properties).flatMap(([name, field]) => [
    [
      `\`${prefix}${name}\``,
      typeOf(field),
      names.includes(name) ? needed : "default" in field ? `default ${JSON.stringify(field.default)}` : "",
      field.description ?? "",
    ],
    ...fieldRows(field, needed, `${prefix}${name}.`),
  ]);

function typeOf({ type, format, items, anyOf, minimum, maximum, enum: values, const: only }: Schema): string {
  if (Array.isArray(type)) return type.map((one) => typeOf({ type: one })).join(" or ");
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  if (values) return values.map((value) => `\`${value}\``).join(" or ");
  if (only !== undefined) return `\`${only}\``;
  if (type === "array") return `list of ${items ? typeOf(items) : "anything"}`;
  if (type === "integer") {
    const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
    if (minimum === Number.MIN_SAFE_INTEGER) return "integer";
    return isBounded ? `integer, ${minimum} to ${maximum}` : `integer from ${minimum ?? 0}`;
  }
  if (type === "string") return FORMATS[format ?? ""] ?? "text";
  return type ?? "any JSON";
}

const FORMATS: Record<string, string> = {
  uuid: "UUID",
  "date-time": "time (RFC 3339)",
  email: "e-mail address",
};

export const table = (head: string[], rows: string[][]) =>
  [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
