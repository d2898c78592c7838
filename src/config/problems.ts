// What is wrong with a configuration, in words that say what would be right.

import { z } from "zod";
import { scrubShapes, short } from "../core/redaction.ts";
import { nearest } from "../core/text/nearest.ts";
import { visible } from "../core/text/visible.ts";
import { configSchema, secretRef } from "./schema.ts";

export interface Problem {
  /** TOML path such as `messaging.sessions[0].id`; empty for the file as a whole. */
  path: string;
  /** The offending value as TOML writes it; never a secret's. */
  value?: string;
  /** What would be right. */
  message: string;
  /** In the file, from 1; known for syntax errors. */
  line?: number;
}

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly path: string;
  readonly problems: Problem[];

  constructor(path: string, problems: Problem[]) {
    super(problems.map((problem) => formatProblem(path, problem)).join("\n"));
    this.path = path;
    this.problems = problems;
  }
}

/** One line: `config/nexusd.toml: nex.timeout = "x": must be a duration such as …`. */
export function formatProblem(file: string, { path, value, message, line }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}`;
  const subject = value === undefined ? path : `${path} = ${value}`;
  return visible([place, subject, message].filter((part) => part !== "").join(": "));
}

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

/** An address without what may be secret in it: user, password, path, query. */
const asOrigin = (text: string): string => {
  const [, scheme = "", host = "", rest = ""] = /^([a-z]+:\/\/)?(?:.*@)?([^/?#]*)(.*)$/is.exec(text) ?? [];
  // What stands after a colon and is no port may be a password whose @ was lost.
  const named = /^(\[[^\]]*\]|[^:]*)(:\d{1,5})?$/.test(host) ? host : host.replace(/:.*$/s, ":…");
  return `${scheme}${text.includes("@") ? "…@" : ""}${named}${rest === "" || rest === "/" ? rest : "/…"}`;
};

/** The value at a path as it may be shown, or undefined where it may not. */
export function shownValue(path: TomlPath, value: unknown): string | undefined {
  if (value === undefined || path.some((_, index) => isSecret(path.slice(0, index + 1)))) return undefined;
  if (typeof value !== "string") return asToml(value);
  const key = path.at(-1);
  if (key === "base_url" || path.at(-2) === "servers") return asToml(asOrigin(value));
  return asToml(key === "id" ? short(value) : scrubShapes(value));
}

const isSecret = (path: TomlPath) => schemaAt(path) === secretRef;

/** The schema of what is at a path, without its default; undefined where the path leads out of the schema. */
export function schemaAt(path: TomlPath): z.core.$ZodType | undefined {
  let schema: z.core.$ZodType | undefined = unwrap(configSchema);
  for (const part of path) {
    if (schema instanceof z.ZodObject && Object.hasOwn(schema.shape, part)) schema = schema.shape[part];
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

const TYPES: Record<string, string> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "an array",
};
const TOML_TYPES = { ...TYPES, string: "text in quotes", object: "a table", record: "a table" };

/** What is wrong with a text of a format that has no words of its own. */
const FORMATS: Record<string, string> = {
  uuid: "must be a UUID",
  guid: "must be a UUID",
  email: "must be an e-mail address",
  datetime: "must be a time with its zone (RFC 3339), such as 2026-01-31T10:00:00Z",
  date: "must be a date, such as 2026-01-31",
  time: "must be a time of day, such as 10:00:00",
  duration: "must be a duration (ISO 8601), such as PT30M",
  url: "must be a URL",
  ipv4: "must be an IPv4 address",
  ipv6: "must be an IPv6 address",
  base64: "must be Base64",
};

/** What is counted where a length is wrong. */
const PARTS: Record<string, string> = { string: "characters", array: "entries" };

const explainWith =
  (types: Record<string, string>) =>
  (issue: z.core.$ZodRawIssue): string => {
    switch (issue.code) {
      case "invalid_type": {
        const expected = `must be ${types[issue.expected] ?? issue.expected}`;
        return issue.input === undefined ? `is missing: ${expected}` : expected;
      }
      case "invalid_value":
        return `must be ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
      case "too_small":
        if (issue.origin in PARTS)
          return issue.minimum === 1
            ? "must not be empty"
            : `must have at least ${issue.minimum} ${PARTS[issue.origin]}`;
        return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
      case "too_big":
        if (issue.origin in PARTS) return `must have at most ${issue.maximum} ${PARTS[issue.origin]}`;
        return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
      case "invalid_format":
        return FORMATS[issue.format] ?? `must be text of the format ${issue.format}`;
      case "not_multiple_of":
        return `must be a multiple of ${issue.divisor}`;
      case "invalid_union":
        return issue.note === "No matching discriminator" && issue.discriminator !== undefined
          ? `has no ${issue.discriminator} that is known here`
          : "fits none of its alternatives";
      default:
        return "is not valid here";
    }
  };

/** What would be right in a TOML file, for the issues that the schema has no words of its own for. */
export const explain = explainWith(TOML_TYPES);

/** The same for JSON and JavaScript: requests and job files. */
export const explainValue = explainWith(TYPES);

/** What is said of a key that the table at `parent` does not have. */
export function unknownKey(parent: TomlPath, key: string): string {
  const schema = schemaAt(parent);
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const [meant] = nearest(key, known);
  const hint = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean "${meant}"?`;
  return `is not a known key: ${hint}`;
}
