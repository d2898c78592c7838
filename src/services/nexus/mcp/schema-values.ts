// The parts of a verdict on a JSON Schema: combining verdicts, and classifying single values.

export interface Issue {
  path: (string | number)[];
  message: string;
}

/** The reasons of one that is invalid. */
export type Verdict = "valid" | "unknown" | Issue[];

export type Path = (string | number)[];
export type Schema = Record<string, unknown>;

/** As few as say why. */
const MOST_ISSUES = 20;

export function all(verdicts: readonly Verdict[]): Verdict {
  const issues = verdicts.flatMap((verdict) => (typeof verdict === "string" ? [] : verdict));
  if (issues.length > 0) return issues.slice(0, MOST_ISSUES);
  return verdicts.includes("unknown") ? "unknown" : "valid";
}

/** Of one alternative, its own reasons; of several, that none fits. */
export const noneOf = (each: readonly Verdict[], path: Path): Issue[] => {
  const [only] = each;
  if (each.length === 1 && Array.isArray(only)) return only;
  return [{ path, message: "fits none of its alternatives" }];
};

export const met = (isMet: boolean, path: Path, message: string): Verdict =>
  isMet ? "valid" : [{ path, message }];

export const typesOf = (type: unknown): unknown[] => [type].flat();

/** Undefined for a type that JSON Schema does not have. */
export function isOfType({ type, nullable }: Schema, value: unknown): boolean | undefined {
  // OpenAPI's way of saying it.
  if (value === null && nullable === true) return true;
  const each = typesOf(type).map((one) => isOf(one, value));
  return each.includes(true) ? true : each.includes(undefined) ? undefined : false;
}

function isOf(type: unknown, value: unknown): boolean | undefined {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      return typeof value === "bigint" || Number.isInteger(value);
    case "number":
      return typeof value === "bigint" || typeof value === "number";
    case "boolean":
    case "string":
      return typeof value === type;
    default:
      return undefined;
  }
}

/** Exact for safe integers; undefined otherwise, where a double cannot decide. */
export function isMultiple(value: number | bigint, of: unknown): boolean | undefined {
  if (!Number.isSafeInteger(value) || !Number.isSafeInteger(of) || of === 0) return undefined;
  return Number(value) % Number(of) === 0;
}

export const isNumber = (value: unknown): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

export const isObject = (value: unknown): value is Schema =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A part of a JSON pointer within a fragment; undefined if it is invalid. */
export function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
  } catch {
    return undefined;
  }
}

const LONGEST_SHOWN = 200;
export const shown = (values: readonly unknown[]): string => {
  const text = values
    .slice(0, MOST_ISSUES)
    .map((value) => JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part)))
    .join(", ");
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
};
